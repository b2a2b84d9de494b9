//! The grammar of `Match`: comparisons joined by `and`, groups of `or` in parentheses.
//!
//! ```text
//! all        = term { "and" term }
//! term       = "(" ( all | any ) ")" | comparison
//! any        = term { "or" term }
//! comparison = field "=" value | field "in" "(" value { "," value } ")"
//!            | field "=" ( "(" | "[" ) value "," value ( ")" | "]" )
//! value      = "'" text "'" | number
//! ```
//!
//! It knows neither which fields there are nor what may be asked of them. A text that is cut off, nested too deep or
//! too long is an error like any other: what a stranger sends must not decide how much memory or stack is used.

/// The longest expression; a hundred ids of 32 characters, the vendor's limit, take a quarter of it.
pub(crate) const MAX_BYTES: usize = 16 * 1024;

/// Groups within groups. People write two; each is a frame of the stack and of SQLite's.
pub(crate) const MAX_DEPTH: usize = 16;

/// Comparisons of one expression; each is a scan of the candidates.
pub(crate) const MAX_COMPARISONS: usize = 64;

/// Values of one `in`: the vendor's limit of ids.
pub(crate) const MAX_VALUES: usize = 100;

/// A comparison, or several of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    /// Every one holds.
    All(Vec<Expression>),
    /// At least one holds.
    Any(Vec<Expression>),
    /// This one holds.
    One(Comparison),
}

/// One field against what is wanted of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) field: String,
    pub(crate) test: Test,
}

/// What is wanted of a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    /// `= value`
    Is(Value),
    /// `in (value, …)`; never empty.
    In(Vec<Value>),
    /// `= (value, value]`
    Between(Bound, Bound),
}

/// A value as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Number(String),
}

impl Value {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Number(text) => text,
        }
    }
}

/// One end of a range.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bound {
    pub(crate) value: Value,
    /// Whether the end itself is in the range.
    pub(crate) closed: bool,
}

/// An expression that cannot be read, or that asks of a field what it cannot be asked. The vendor's text names the
/// field; where there is none, the word at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at {near}")]
pub(crate) struct SyntaxError {
    pub(crate) near: String,
}

impl SyntaxError {
    pub(crate) fn at(near: &str) -> Self {
        let end = near.floor_char_boundary(MAX_NAMED_BYTES);
        Self { near: near[..end].to_owned() }
    }
}

/// How much of a wrong word is repeated in an error.
const MAX_NAMED_BYTES: usize = 64;

/// Reads an expression.
pub(crate) fn parse(text: &str) -> Result<Expression, SyntaxError> {
    if text.len() > MAX_BYTES {
        return Err(SyntaxError::at("length"));
    }
    let mut parser = Parser { tokens: tokens(text)?, at: 0, near: "", comparisons: 0 };
    let expression = parser.group(0)?;
    if parser.tokens.len() > parser.at {
        return Err(parser.wrong());
    }
    Ok(expression)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'a> {
    Word(&'a str),
    Text(&'a str),
    Number(&'a str),
    /// One of `( ) [ ] , =`.
    Mark(char),
}

fn tokens(text: &str) -> Result<Vec<Token<'_>>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            '(' | ')' | '[' | ']' | ',' | '=' => (Token::Mark(first), &rest[1..]),
            '\'' => {
                let (inside, after) = rest[1..].split_once('\'').ok_or_else(|| SyntaxError::at(rest))?;
                (Token::Text(inside), after)
            }
            '0'..='9' | '-' | '.' => {
                let end = rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '.')).unwrap_or(rest.len());
                (Token::Number(&rest[..end]), &rest[end..])
            }
            _ if first.is_ascii_alphabetic() => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                (Token::Word(&rest[..end]), &rest[end..])
            }
            _ => return Err(SyntaxError::at(rest)),
        };
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    /// The newest field, for errors.
    near: &'a str,
    comparisons: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at).copied()
    }

    fn next(&mut self) -> Option<Token<'a>> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    fn takes(&mut self, mark: char) -> bool {
        let there = self.peek() == Some(Token::Mark(mark));
        self.at += usize::from(there);
        there
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let there = matches!(self.peek(), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word));
        self.at += usize::from(there);
        there
    }

    /// The error of whatever comes next.
    fn wrong(&self) -> SyntaxError {
        let word = match self.peek() {
            Some(Token::Word(text) | Token::Text(text) | Token::Number(text)) => text,
            Some(Token::Mark(_)) | None => "",
        };
        SyntaxError::at(if self.near.is_empty() { word } else { self.near })
    }

    /// Terms joined by one word. At depth 0 that is `and`: an `or` is only known by its parentheses.
    fn group(&mut self, depth: usize) -> Result<Expression, SyntaxError> {
        if depth > MAX_DEPTH {
            return Err(self.wrong());
        }
        let first = self.term(depth)?;
        let word = if depth > 0 && self.is_or() { "or" } else { "and" };
        let mut terms = vec![first];
        while self.takes_word(word) {
            terms.push(self.term(depth)?);
        }
        Ok(match (word, terms.len()) {
            (_, 1) => terms.remove(0),
            ("or", _) => Expression::Any(terms),
            _ => Expression::All(terms),
        })
    }

    fn is_or(&self) -> bool {
        matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case("or"))
    }

    fn term(&mut self, depth: usize) -> Result<Expression, SyntaxError> {
        if self.takes('(') {
            let inside = self.group(depth + 1)?;
            return if self.takes(')') { Ok(inside) } else { Err(self.wrong()) };
        }
        self.comparison().map(Expression::One)
    }

    fn comparison(&mut self) -> Result<Comparison, SyntaxError> {
        let Some(Token::Word(field)) = self.peek() else { return Err(self.wrong()) };
        self.at += 1;
        self.near = field;
        self.comparisons += 1;
        if self.comparisons > MAX_COMPARISONS {
            return Err(self.wrong());
        }
        let test = if self.takes_word("in") {
            self.several()?
        } else if self.takes('=') {
            match self.peek() {
                Some(Token::Mark('(' | '[')) => self.range()?,
                _ => Test::Is(self.value()?),
            }
        } else {
            return Err(self.wrong());
        };
        Ok(Comparison { field: field.to_owned(), test })
    }

    fn several(&mut self) -> Result<Test, SyntaxError> {
        if !self.takes('(') {
            return Err(self.wrong());
        }
        let mut values = vec![self.value()?];
        while self.takes(',') {
            values.push(self.value()?);
            if values.len() > MAX_VALUES {
                return Err(self.wrong());
            }
        }
        if self.takes(')') { Ok(Test::In(values)) } else { Err(self.wrong()) }
    }

    fn range(&mut self) -> Result<Test, SyntaxError> {
        let from_closed = self.next() == Some(Token::Mark('['));
        let from = self.value()?;
        if !self.takes(',') {
            return Err(self.wrong());
        }
        let to = self.value()?;
        let to_closed = match self.next() {
            Some(Token::Mark(']')) => true,
            Some(Token::Mark(')')) => false,
            _ => return Err(self.wrong()),
        };
        Ok(Test::Between(Bound { value: from, closed: from_closed }, Bound { value: to, closed: to_closed }))
    }

    fn value(&mut self) -> Result<Value, SyntaxError> {
        match self.peek() {
            Some(Token::Text(text)) => {
                self.at += 1;
                Ok(Value::Text(text.to_owned()))
            }
            Some(Token::Number(digits)) => {
                self.at += 1;
                Ok(Value::Number(digits.to_owned()))
            }
            _ => Err(self.wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A short form for tables: `and`/`or` with their members, comparisons as they were read.
    fn shown(expression: &Expression) -> String {
        let list = |word: &str, members: &[Expression]| {
            format!("{word}({})", members.iter().map(shown).collect::<Vec<_>>().join(" "))
        };
        match expression {
            Expression::All(members) => list("and", members),
            Expression::Any(members) => list("or", members),
            Expression::One(Comparison { field, test }) => match test {
                Test::Is(value) => format!("{field}={}", value.as_str()),
                Test::In(values) => {
                    format!("{field}:{}", values.iter().map(Value::as_str).collect::<Vec<_>>().join("|"))
                }
                Test::Between(from, to) => format!(
                    "{field}{}{}..{}{}",
                    if from.closed { '[' } else { '(' },
                    from.value.as_str(),
                    to.value.as_str(),
                    if to.closed { ']' } else { ')' }
                ),
            },
        }
    }

    #[test]
    fn expressions_are_read() {
        let table = [
            ("CateId = 7", "CateId=7"),
            ("VideoId='a'", "VideoId=a"),
            ("Title = 'it, (is) and so'", "Title=it, (is) and so"),
            ("Status in ('Normal','Checking')", "Status:Normal|Checking"),
            ("Status IN ( 'Normal' )", "Status:Normal"),
            ("Duration = (1.5,20]", "Duration(1.5..20]"),
            (
                "CreationTime=['2027-01-01T00:00:00Z','2027-01-02T00:00:00Z')",
                "CreationTime[2027-01-01T00:00:00Z..2027-01-02T00:00:00Z)",
            ),
            ("a=1 and b=2 and c=3", "and(a=1 b=2 c=3)"),
            ("a=1 AND (b=2 or c=3 Or d=4)", "and(a=1 or(b=2 c=3 d=4))"),
            ("(a=1 or b=2)", "or(a=1 b=2)"),
            ("((a=1 or b=2) and c=3)", "and(or(a=1 b=2) c=3)"),
            ("(a=1 or (b=2 and c=3))", "or(a=1 and(b=2 c=3))"),
            ("  (a=1)  ", "a=1"),
            ("Title='比赛'", "Title=比赛"),
        ];
        for (text, expected) in table {
            assert_eq!(shown(&parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))), expected);
        }
    }

    #[test]
    fn what_cannot_be_read_names_the_field() {
        let table = [
            ("", ""),
            ("Title", "Title"),
            ("Title =", "Title"),
            ("Title = cam", "Title"),
            ("Title = 'cam", "'cam"),
            ("Title in 'cam'", "Title"),
            ("Title in ()", "Title"),
            ("Title in ('a',)", "Title"),
            ("Title in ('a'", "Title"),
            ("Size = (1)", "Size"),
            ("Size = (1,2", "Size"),
            ("Size = (1,2,3)", "Size"),
            ("Size > 3", "> 3"),
            ("a=1 or b=2", "a"),
            ("(a=1 or b=2 and c=3)", "b"),
            ("(a=1 and b=2 or c=3)", "b"),
            ("a=1 and", "a"),
            ("and a=1", "and"),
            ("(a=1", "a"),
            ("a=1)", "a"),
            ("a=1 b=2", "a"),
            ("= 1", ""),
        ];
        for (text, near) in table {
            assert_eq!(parse(text), Err(SyntaxError { near: near.to_owned() }), "{text}");
        }
    }

    #[test]
    fn size_and_depth_are_bounded() {
        let nested = |depth: usize| format!("{}a=1{}", "(".repeat(depth), ")".repeat(depth));
        parse(&nested(MAX_DEPTH)).unwrap();
        parse(&nested(MAX_DEPTH + 1)).unwrap_err();
        let joined = |count: usize| vec!["a=1"; count].join(" and ");
        parse(&joined(MAX_COMPARISONS)).unwrap();
        parse(&joined(MAX_COMPARISONS + 1)).unwrap_err();
        let several = |count: usize| format!("a in ({})", vec!["1"; count].join(","));
        parse(&several(MAX_VALUES)).unwrap();
        parse(&several(MAX_VALUES + 1)).unwrap_err();
        assert_eq!(parse(&" ".repeat(MAX_BYTES + 1)), Err(SyntaxError::at("length")));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}") {
            let _ = parse(&text);
        }

        /// Texts made of the grammar's own pieces go deeper than arbitrary ones.
        #[test]
        fn no_sequence_of_pieces_makes_it_panic(
            pieces in proptest::collection::vec(
                proptest::sample::select(vec![
                    "(", ")", "[", "]", ",", "=", "'", "'a'", "'é'", "and ", "or ", "in ", "Title ", "Size ", "1", "-", ".",
                ]),
                0..60,
            )
        ) {
            let _ = parse(&pieces.concat());
        }
    }
}
