#[path = "../benches/support/questions.rs"]
mod questions;
use reprise_lifecycle::question::*;
use reprise_lifecycle::time::Timestamp;
use reprise_policy::*;
fn main() -> std::process::ExitCode {
    if std::env::args().nth(1).as_deref() == Some("c") {
        return compile_child_main();
    }
    let m = std::fs::read("/work/main/target/wasm32-unknown-unknown/plugin/reprise_test_guests.wasm").unwrap();
    let c = encode_component(&m).unwrap();
    let i = inspect(&c, &AdmissionLimits::default()).unwrap();
    let cmd = CompilerCommand { program: std::env::current_exe().unwrap(), args: vec!["c".into()] };
    let engine = Engine::new(EngineOptions::default()).unwrap();
    let l = engine.load(&compile(&c, &i, &cmd, &CompileLimits::default()).unwrap()).unwrap();
    let ev = Evaluator::new(engine, CallLimits::default());
    ev.trial(&l).unwrap();
    println!("{:?}", l);
    println!("{:?}", ev.check_settings(&l, "{\"do\":\"fly\"}"));
    let Question::TemplateGroup(d) = questions::decide() else { panic!() };
    let mut parts = vec![];
    for n in 0..10_000u32 {
        let mut p = d.part.clone();
        p.index = n;
        parts.push(p);
    }
    let comp = |n: usize| {
        Question::ComposeRules(ComposeQuestion {
            origin: d.origin.clone(),
            ended_at: Timestamp(0),
            parts: parts[..n].to_vec(),
            default_compose: true,
            default_group: None,
            groups: d.groups.clone(),
        })
    };
    for deed in [
        "use_default",
        "echo",
        "loop",
        "recurse",
        "grow",
        "fill",
        "trap",
        "huge_answer",
        "log_flood",
        "bad_answer",
        "bad_header",
        "refuse",
    ] {
        let s = format!("{{\"do\":\"{deed}\"}}");
        for q in [questions::decide(), comp(3), questions::transform()] {
            let e = ev.evaluate(&l, &q, &s);
            let mut v = format!("{:?}", e.verdict);
            v.truncate(260);
            println!(
                "{deed} {:?}: fuel {} {}us log {} {:?} {v}",
                q.hook(),
                e.fuel,
                e.elapsed_us,
                e.log.len(),
                e.log.last()
            );
        }
    }
    for n in [1000, 5000, 10_000] {
        let e = ev.evaluate(&l, &comp(n), "{\"do\":\"echo\"}");
        let mut v = format!("{:?}", e.verdict);
        v.truncate(200);
        println!("compose {n}: fuel {} {}us {v}", e.fuel, e.elapsed_us);
    }
    std::process::ExitCode::SUCCESS
}
