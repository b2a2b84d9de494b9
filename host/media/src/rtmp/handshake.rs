//! Chapter 5.2: the handshake, server side.
//!
//! The plain form: our first packet is filler, the second echoes the peer's. Peers that would like the
//! digest form of Flash players send the same sizes and take the plain answer. C2 is not compared with what
//! was sent, because encoders in use send anything there.

use super::error::Error;

/// Length of C1, S1, C2 and S2.
pub const PACKET_BYTES: usize = 1536;

/// The only protocol version there is.
const VERSION: u8 = 3;

/// Time and version fields at the head of S1; zero says "no digest".
const HEAD_BYTES: usize = 8;

/// The server's half of the handshake.
#[derive(Debug)]
pub struct Handshake {
    nonce: [u8; 32],
    step: Step,
}

#[derive(Debug)]
enum Step {
    Version,
    FirstPacket { received: Vec<u8> },
    SecondPacket { left: usize },
}

impl Handshake {
    /// A handshake that has seen nothing. The nonce is expanded to the filler of S1.
    pub fn new(nonce: [u8; 32]) -> Self {
        Self { nonce, step: Step::Version }
    }

    /// Takes what belongs to the handshake from the front of `input` and appends the answer to `send`.
    /// Returns whether the handshake is complete; what is left of `input` belongs to the chunk stream.
    ///
    /// # Errors
    /// [`Error::UnsupportedVersion`] when the first byte is not 3.
    pub fn receive(&mut self, input: &mut &[u8], send: &mut Vec<u8>) -> Result<bool, Error> {
        loop {
            match &mut self.step {
                Step::Version => {
                    let Some((version, rest)) = input.split_first() else {
                        return Ok(false);
                    };
                    if *version != VERSION {
                        return Err(Error::UnsupportedVersion(*version));
                    }
                    *input = rest;
                    self.step = Step::FirstPacket { received: Vec::new() };
                }
                Step::FirstPacket { received } => {
                    received.extend_from_slice(take(input, PACKET_BYTES - received.len()));
                    if received.len() < PACKET_BYTES {
                        return Ok(false);
                    }
                    send.push(VERSION);
                    send.extend_from_slice(&[0; HEAD_BYTES]);
                    fill(&self.nonce, send, PACKET_BYTES - HEAD_BYTES);
                    send.extend_from_slice(received);
                    self.step = Step::SecondPacket { left: PACKET_BYTES };
                }
                Step::SecondPacket { left } => {
                    *left -= take(input, *left).len();
                    return Ok(*left == 0);
                }
            }
        }
    }

    /// Bytes kept so far.
    pub fn buffered_bytes(&self) -> usize {
        match &self.step {
            Step::FirstPacket { received } => received.len(),
            Step::Version | Step::SecondPacket { .. } => 0,
        }
    }
}

/// Splits at most `count` bytes off the front of `input`.
fn take<'a>(input: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at_checked(count).unwrap_or((input, &[]));
    *input = rest;
    taken
}

/// Appends `count` bytes that look random. They protect nothing; they only differ between connections, so
/// that an echo can be told from a recording.
fn fill(nonce: &[u8; 32], out: &mut Vec<u8>, count: usize) {
    let mut state = nonce
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let end = out.len() + count;
    while out.len() < end {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let word = state.to_le_bytes();
        out.extend_from_slice(word.get(..end - out.len()).unwrap_or(&word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(version: u8) -> Vec<u8> {
        let mut bytes = vec![version];
        bytes.extend((0..PACKET_BYTES).map(|i| i as u8));
        bytes.extend([7; PACKET_BYTES]);
        bytes
    }

    #[test]
    fn any_split_of_the_input_gives_the_same_answer() {
        let mut bytes = client(3);
        bytes.extend(b"rest");
        for step in [1, 2, 500, 1535, 1536, 1537, 3073, 5000] {
            let mut handshake = Handshake::new([1; 32]);
            let mut send = Vec::new();
            let mut rest = Vec::new();
            let mut done = false;
            for piece in bytes.chunks(step) {
                let mut input = piece;
                if !done {
                    done = handshake.receive(&mut input, &mut send).unwrap();
                }
                rest.extend_from_slice(input);
            }
            assert!(done);
            assert_eq!(rest, b"rest", "step {step}");
            assert_eq!(send.len(), 1 + 2 * PACKET_BYTES);
            assert_eq!(send.first(), Some(&3));
            assert!(send.ends_with(bytes.get(1..=PACKET_BYTES).unwrap()), "S2 echoes C1");
        }
    }

    #[test]
    fn other_versions_and_other_protocols_are_refused_at_the_first_byte() {
        for version in [0, 1, 2, 4, 6, 8, b'G', 0x16, 255] {
            let mut handshake = Handshake::new([0; 32]);
            let error = handshake.receive(&mut &client(version)[..], &mut Vec::new()).unwrap_err();
            assert_eq!(error, Error::UnsupportedVersion(version));
        }
    }

    #[test]
    fn filler_differs_between_nonces_and_declares_no_digest() {
        let first = |nonce: u8| {
            let mut send = Vec::new();
            Handshake::new([nonce; 32]).receive(&mut &client(3)[..], &mut send).unwrap();
            send
        };
        let (a, b) = (first(1), first(2));
        assert_ne!(a, b);
        assert_eq!(a.get(1..9), Some(&[0; 8][..]));
        assert!(a.get(9..1537).unwrap().iter().any(|byte| *byte != 0));
    }
}
