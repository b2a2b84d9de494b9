//! Which system calls the boxed program can make: seccomp.
//!
//! A list of what is denied, not of what is allowed: encoders and C libraries differ between distributions, and an
//! allow list that is one call short is an outage. Denied calls fail with an error, so that a library which merely
//! tries one carries on.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

use super::Layer;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// No network, no other processes, no kernel interface that exploits like to start from.
const DENIED: &[i64] = &[
    // Sockets of every family.
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // New views of the system.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    // Large and young parts of the kernel.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_personality,
    // The machine itself.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
];

#[cfg(target_arch = "x86_64")]
const FORKS: &[i64] = &[libc::SYS_fork, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const FORKS: &[i64] = &[];

/// On x86-64 the same calls exist a second time under these numbers (the x32 ABI).
#[cfg(target_arch = "x86_64")]
const SECOND_NUMBERS: Option<i64> = Some(0x4000_0000);
#[cfg(not(target_arch = "x86_64"))]
const SECOND_NUMBERS: Option<i64> = None;

pub(super) fn restrict() -> Layer {
    match try_restrict() {
        Ok(()) => Layer::Enforced,
        Err(error) => Layer::Missing(error.to_string()),
    }
}

fn try_restrict() -> Result<(), seccompiler::Error> {
    // `clone3` passes its flags in memory, where a filter cannot look; told that it does not exist, the C library
    // makes its threads with `clone`.
    let absent = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    install(absent, libc::ENOSYS)?;

    let mut denied: Rules = BTreeMap::new();
    for call in DENIED.iter().chain(FORKS) {
        denied.insert(*call, Vec::new());
    }
    denied.insert(libc::SYS_clone, vec![not_a_thread()?]);
    install(denied, libc::EPERM)
}

/// A `clone` without the thread flag makes a process.
fn not_a_thread() -> Result<SeccompRule, seccompiler::Error> {
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let condition = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(thread), 0)?;
    Ok(SeccompRule::new(vec![condition])?)
}

fn install(mut rules: Rules, errno: i32) -> Result<(), seccompiler::Error> {
    if let Some(offset) = SECOND_NUMBERS {
        let second: Rules = rules.iter().map(|(call, rules)| (call + offset, rules.clone())).collect();
        rules.extend(second);
    }
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(errno.unsigned_abs()),
        TargetArch::try_from(std::env::consts::ARCH)?,
    )?;
    let program: BpfProgram = filter.try_into()?;
    apply_filter(&program)
}
