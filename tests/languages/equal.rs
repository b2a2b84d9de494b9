//! The policies of three languages give equal answers to one table of questions.

use reprise::lab::judge;
use reprise_lifecycle::decision::{Failure, Verdict};
use reprise_policy::{Evaluation, StateSnapshot};

use super::{admitted, built, lab, table};

const QUESTIONS: usize = 100;

/// Each language, the folder of its policy, and what else it is made of.
const LANGUAGES: [(&str, &str, &[&str]); 3] = [
    ("Rust", "plugins/template-by-stream", &["plugin-sdk", "wit", "Cargo.lock"]),
    ("JavaScript", "tests/guests-js", &[]),
    ("Python", "tests/guests-python", &[]),
];

#[test]
fn three_languages_give_equal_answers_to_a_hundred_questions() -> anyhow::Result<()> {
    let (lab, table) = (lab()?, table()?);
    assert_eq!(table.cases.len(), QUESTIONS);
    let mut problems = Vec::new();
    let mut said: Vec<Vec<(Verdict, Option<String>)>> = Vec::new();
    for (language, folder, also) in LANGUAGES {
        let component = built::component(folder, also)?;
        let subject = admitted(&lab, language, &component)?;
        let (mut answers, mut took) = (Vec::new(), Vec::new());
        for case in &table.cases {
            let evaluation = lab.ask(&subject, &case.question, &case.settings, &StateSnapshot::default());
            let refusal = lab.refusal(&subject, &case.settings);
            took.push(evaluation.elapsed_us);
            answers.push(essence(&evaluation));
            for problem in judge(case, evaluation, refusal.as_deref()).problems {
                problems.push(format!("{language}: {}: {problem}", case.name));
            }
        }
        took.sort_unstable();
        println!("{language:<10} {:>6} KiB, {:>6} µs a call", component.len() / 1024, took[took.len() / 2]);
        said.push(answers);
    }
    for (index, case) in table.cases.iter().enumerate() {
        for ((language, ..), answers) in LANGUAGES.iter().zip(&said).skip(1) {
            if answers[index] != said[0][index] {
                problems.push(format!("{}: {language} {:?}, Rust {:?}", case.name, answers[index], said[0][index]));
            }
        }
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    Ok(())
}

/// What must be equal: the verdict and the reason. Where in a text a mistake is found is a reader's own to say.
fn essence(evaluation: &Evaluation) -> (Verdict, Option<String>) {
    let verdict = match &evaluation.verdict {
        Verdict::Failed(Failure { kind, message }) => {
            let message = message.split(" at line ").next().unwrap_or_default().to_owned();
            Verdict::Failed(Failure { kind: *kind, message })
        }
        verdict => verdict.clone(),
    };
    (verdict, evaluation.reason.clone())
}
