//! What is decided: 20 rules of which the last but one fits.

use serde::{Deserialize, Serialize};

pub(crate) const STREAM: &str = "room-17";
pub(crate) const HEIGHT: u32 = 1080;
pub(crate) const ANSWER: &str = "HD";

/// A rule: the first whose prefix and height fit decides.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) prefix: String,
    pub(crate) min_height: u32,
    pub(crate) group: String,
}

/// Everything a decision needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Input {
    pub(crate) stream: String,
    pub(crate) height: u32,
    pub(crate) rules: Vec<Rule>,
}

pub(crate) fn rules() -> Vec<Rule> {
    let misses = [
        "lobby-", "hall-", "door-", "roof-", "yard-", "lift-", "desk-", "dock-", "shop-", "cafe-", "room-9", "room-8",
        "room-7", "room-6", "room-5", "room-4", "room-3", "room-2",
    ];
    let miss = |prefix: &&str| Rule { prefix: (*prefix).to_owned(), min_height: 0, group: "SD".to_owned() };
    let mut rules: Vec<Rule> = misses.iter().map(miss).collect();
    rules.push(Rule { prefix: "room-1".to_owned(), min_height: 720, group: ANSWER.to_owned() });
    rules.push(Rule { prefix: String::new(), min_height: 0, group: "SD".to_owned() });
    rules
}

pub(crate) fn input() -> Input {
    Input { stream: STREAM.to_owned(), height: HEIGHT, rules: rules() }
}
