//! Bytes to values.

use super::{Error, Limits, Properties, Value, marker};

/// Decodes all values of a body.
///
/// # Errors
/// Any [`Error`]; values decoded before it are dropped.
pub fn decode_all(body: &[u8], limits: Limits) -> Result<Vec<Value>, Error> {
    let mut decoder = Decoder::new(body, limits);
    let mut values = Vec::new();
    while let Some(value) = decoder.next_value()? {
        values.push(value);
    }
    Ok(values)
}

/// Reads one value after the other from a body.
#[derive(Debug)]
pub struct Decoder<'a> {
    rest: &'a [u8],
    limits: Limits,
    /// Properties, elements and top-level values that may still come.
    budget: usize,
}

/// A value's beginning: all of it, or a container that is to be filled.
enum Head {
    Whole(Value),
    Open(Container),
}

/// An object or array whose end has not been read.
enum Container {
    Named { ecma: bool, key: String, entries: Properties },
    Listed { left: u32, items: Vec<Value> },
}

impl<'a> Decoder<'a> {
    /// A decoder at the front of `body`.
    pub fn new(body: &'a [u8], limits: Limits) -> Self {
        Self { rest: body, limits, budget: limits.properties }
    }

    /// The next value, or `None` at the end of the body.
    ///
    /// # Errors
    /// Any [`Error`]. The position after an error is of no use.
    pub fn next_value(&mut self) -> Result<Option<Value>, Error> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.spend()?;
        let mut open: Vec<Container> = Vec::new();
        loop {
            let at_value = match open.last_mut() {
                None => true,
                Some(container) => self.at_value(container)?,
            };
            let whole = if at_value {
                match self.head()? {
                    Head::Whole(value) => value,
                    Head::Open(container) => {
                        if open.len() >= self.limits.depth {
                            return Err(Error::TooDeep(self.limits.depth));
                        }
                        open.push(container);
                        continue;
                    }
                }
            } else {
                match open.pop() {
                    Some(container) => container.close(),
                    None => return Ok(None),
                }
            };
            match open.last_mut() {
                None => return Ok(Some(whole)),
                Some(parent) => parent.put(whole),
            }
        }
    }

    /// Moves to the next value inside a container and reads its name if it has one. False at the end.
    fn at_value(&mut self, container: &mut Container) -> Result<bool, Error> {
        match container {
            Container::Listed { left: 0, .. } => return Ok(false),
            Container::Listed { left, .. } => *left -= 1,
            // Some encoders leave the end marker of the last ECMA array away.
            Container::Named { ecma: true, .. } if self.rest.is_empty() => return Ok(false),
            Container::Named { key, .. } => {
                let name = self.short_bytes()?;
                if name.is_empty() && self.rest.first() == Some(&marker::OBJECT_END) {
                    self.take(1)?;
                    return Ok(false);
                }
                if name.len() > self.limits.name_bytes {
                    return Err(Error::NameTooLong(self.limits.name_bytes));
                }
                *key = text(name);
            }
        }
        self.spend()?;
        Ok(true)
    }

    fn head(&mut self) -> Result<Head, Error> {
        let [kind] = self.array()?;
        let whole = match kind {
            marker::NUMBER => Value::Number(f64::from_be_bytes(self.array()?)),
            marker::BOOLEAN => Value::Boolean(self.array()? != [0]),
            marker::STRING => Value::String(text(self.short_bytes()?)),
            marker::LONG_STRING | marker::XML => Value::String(text(self.long_bytes()?)),
            marker::NULL => Value::Null,
            marker::UNDEFINED | marker::UNSUPPORTED => Value::Undefined,
            marker::REFERENCE => {
                self.take(2)?;
                Value::Undefined
            }
            marker::DATE => {
                let milliseconds = f64::from_be_bytes(self.array()?);
                self.take(2)?;
                Value::Date(milliseconds)
            }
            marker::OBJECT => return Ok(Head::Open(Container::named(false))),
            marker::TYPED_OBJECT => {
                self.short_bytes()?;
                return Ok(Head::Open(Container::named(false)));
            }
            marker::ECMA_ARRAY => {
                self.take(4)?;
                return Ok(Head::Open(Container::named(true)));
            }
            marker::STRICT_ARRAY => {
                let left = u32::from_be_bytes(self.array()?);
                // An element takes at least one byte, so a count beyond the body is refused at once.
                if usize::try_from(left).map_or(true, |count| count > self.rest.len()) {
                    return Err(Error::Truncated);
                }
                return Ok(Head::Open(Container::Listed { left, items: Vec::new() }));
            }
            other => return Err(Error::Marker(other)),
        };
        Ok(Head::Whole(whole))
    }

    fn spend(&mut self) -> Result<(), Error> {
        self.budget = self.budget.checked_sub(1).ok_or(Error::TooManyProperties(self.limits.properties))?;
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn short_bytes(&mut self) -> Result<&'a [u8], Error> {
        let length = u16::from_be_bytes(self.array()?);
        self.take(usize::from(length))
    }

    fn long_bytes(&mut self) -> Result<&'a [u8], Error> {
        let length = u32::from_be_bytes(self.array()?);
        self.take(usize::try_from(length).map_err(|_| Error::Truncated)?)
    }
}

impl Container {
    fn named(ecma: bool) -> Self {
        Container::Named { ecma, key: String::new(), entries: Vec::new() }
    }

    fn put(&mut self, value: Value) {
        match self {
            Container::Named { key, entries, .. } => entries.push((std::mem::take(key), value)),
            Container::Listed { items, .. } => items.push(value),
        }
    }

    fn close(self) -> Value {
        match self {
            Container::Named { ecma: true, entries, .. } => Value::EcmaArray(entries),
            Container::Named { entries, .. } => Value::Object(entries),
            Container::Listed { items, .. } => Value::StrictArray(items),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
