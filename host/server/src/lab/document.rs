//! Where values are in the text of a JSON document, so that one of them can be rewritten and everything else stays as
//! its author wrote it: order, spaces, line ends.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;

/// A value and its place.
#[derive(Debug)]
pub(super) struct Node {
    /// Its bytes in the text.
    pub(super) span: Range<usize>,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    Scalar,
}

impl Node {
    /// A member of an object.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.members().iter().find(|(key, _)| key == name).map(|(_, node)| node)
    }

    /// All members of an object, in the order of the text.
    pub(super) fn members(&self) -> &[(String, Self)] {
        match &self.shape {
            Shape::Object(members) => members,
            Shape::Array(_) | Shape::Scalar => &[],
        }
    }

    /// The elements of an array.
    pub(super) fn elements(&self) -> &[Self] {
        match &self.shape {
            Shape::Array(elements) => elements,
            Shape::Object(_) | Shape::Scalar => &[],
        }
    }
}

/// The values of a document and their places.
///
/// # Errors
/// In words, with the line: it is not JSON, or a member is there twice, of which one would be lost unseen.
pub(super) fn read(text: &str) -> Result<(Value, Node), String> {
    // Everything below relies on this: the text is valid, and not nested deeper than 128.
    let value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
    let node = Scanner { text, at: 0 }.value()?;
    Ok((value, node))
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn value(&mut self) -> Result<Node, String> {
        self.space();
        let from = self.at;
        let shape = match self.peek() {
            Some(b'{') => self.object()?,
            Some(b'[') => self.array()?,
            Some(b'"') => {
                self.string()?;
                Shape::Scalar
            }
            _ => {
                while self.peek().is_some_and(|byte| !byte.is_ascii_whitespace() && !b",]}".contains(&byte)) {
                    self.at += 1;
                }
                Shape::Scalar
            }
        };
        Ok(Node { span: from..self.at, shape })
    }

    fn object(&mut self) -> Result<Shape, String> {
        let mut members = Vec::new();
        let mut seen = BTreeSet::new();
        self.at += 1;
        while self.next_is_not(b'}') {
            let key = self.string()?;
            if !seen.insert(key.clone()) {
                return Err(format!("line {}: the member {key:?} is there twice; take one away", self.line()));
            }
            self.space();
            // The colon.
            self.at += 1;
            members.push((key, self.value()?));
        }
        Ok(Shape::Object(members))
    }

    fn array(&mut self) -> Result<Shape, String> {
        let mut elements = Vec::new();
        self.at += 1;
        while self.next_is_not(b']') {
            elements.push(self.value()?);
        }
        Ok(Shape::Array(elements))
    }

    /// Goes past spaces and a comma, and past the end of the object or array if it is there.
    fn next_is_not(&mut self, end: u8) -> bool {
        self.space();
        if self.peek() == Some(b',') {
            self.at += 1;
            self.space();
        }
        match self.peek() {
            Some(byte) if byte != end => true,
            Some(_) => {
                self.at += 1;
                false
            }
            None => false,
        }
    }

    fn string(&mut self) -> Result<String, String> {
        let from = self.at;
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += match byte {
                b'\\' => 2,
                _ => 1,
            };
            if byte == b'"' {
                break;
            }
        }
        let text = self.text.get(from..self.at).unwrap_or_default();
        serde_json::from_str(text).map_err(|error| format!("line {}: {error}", self.line()))
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn line(&self) -> usize {
        self.text.as_bytes().iter().take(self.at).filter(|byte| **byte == b'\n').count() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every value of the document is what its place in the text says.
    fn check(text: &str, value: &Value, node: &Node) {
        assert_eq!(&serde_json::from_str::<Value>(&text[node.span.clone()]).unwrap(), value);
        match value {
            Value::Object(members) => {
                assert_eq!(node.members().len(), members.len());
                for (name, value) in members {
                    check(text, value, node.get(name).unwrap());
                }
            }
            Value::Array(elements) => {
                assert_eq!(node.elements().len(), elements.len());
                for (value, node) in elements.iter().zip(node.elements()) {
                    check(text, value, node);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn places_are_those_of_the_values() {
        for text in [
            "{}",
            " [ ] ",
            "12.5e3",
            r#"{"a":1,"b":[true,null,{"c":"d\"}],"}],"\u0065":-1}"#,
            "{\r\n  \"ä\": [1, 2,\t3],\n\n  \"empty\": {}, \"s\": \"\\\\\"\n}\n",
        ] {
            let (value, node) = read(text).unwrap();
            check(text, &value, &node);
        }
    }

    #[test]
    fn what_is_not_one_document_is_refused_with_its_line() {
        for (text, part) in [("{\n\"a\":1,\n\"a\":2}", "line 3"), ("{", "line 1"), ("{}x", "line 1"), ("", "line 1")] {
            let error = read(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
