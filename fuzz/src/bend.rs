//! `Bender`: new inputs from old ones. Bytes are flipped, taken out, doubled and put in, two inputs are joined, words of
//! the examples are strewn about; now and then an input is all noise.

use twoport_testkit::random::Random;

/// Makes inputs for one target.
pub struct Bender {
    random: Random,
    /// Inputs to bend: the examples, and some of those that were made of them.
    known: Vec<Vec<u8>>,
    examples: usize,
    words: Vec<Vec<u8>>,
}

impl Bender {
    /// A bender that begins with these examples.
    pub fn new(random: Random, examples: &[&[u8]]) -> Self {
        let known: Vec<Vec<u8>> = examples.iter().map(|example| example.to_vec()).collect();
        let is_mark = |b: &u8| !b.is_ascii_alphanumeric();
        let words = known.iter().flat_map(|example| example.split_inclusive(is_mark)).map(<[u8]>::to_vec);
        let mut words: Vec<Vec<u8>> = words.filter(|word| !word.is_empty()).collect();
        words.extend(TRICKY.iter().map(|word| word.to_vec()));
        Bender { random, examples: known.len(), known, words }
    }

    /// The next input.
    pub fn next_input(&mut self) -> Vec<u8> {
        if self.known.is_empty() || self.random.once_in(8) {
            let length = self.random.below(200);
            return self.random.bytes(length);
        }
        let mut input = self.random.pick(&self.known).clone();
        for _ in 0..=self.random.below(6) {
            self.bend(&mut input);
        }
        input.truncate(LONGEST);
        // Without coverage nobody knows which input is interesting; a few of them are bent further in any case.
        if self.random.once_in(64) {
            if self.known.len() < MOST_KNOWN {
                self.known.push(input.clone());
            } else {
                let place = self.examples + self.random.below(MOST_KNOWN - self.examples);
                self.known[place] = input.clone();
            }
        }
        input
    }

    fn bend(&mut self, input: &mut Vec<u8>) {
        let at = self.random.below(input.len() + 1);
        let end = (at + 1 + self.random.below(8)).min(input.len());
        match self.random.below(9) {
            0 if at < input.len() => input[at] ^= 1 << self.random.below(8),
            1 if at < input.len() => input[at] = self.random.bits().to_le_bytes()[0],
            2 if at < end => drop(input.drain(at..end)),
            3 if at < end => {
                let doubled = input[at..end].to_vec();
                insert(input, at, &doubled);
            }
            4 => {
                let other = self.random.pick(&self.known).clone();
                let from = self.random.below(other.len() + 1);
                insert(input, at, &other[from..]);
            }
            5 => {
                let byte = self.random.bits().to_le_bytes()[0];
                let run = vec![byte; 1 + self.random.below(60)];
                insert(input, at, &run);
            }
            6 if at < input.len() => {
                let other = self.random.below(input.len());
                input.swap(at, other);
            }
            _ => {
                let word = self.random.pick(&self.words).clone();
                insert(input, at, &word);
            }
        }
    }
}

fn insert(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    input.splice(at..at, bytes.iter().copied());
}

/// Bytes of an input at most: what fails, fails short.
const LONGEST: usize = 1000;

const MOST_KNOWN: usize = 512;

/// What readers of bytes stumble over.
const TRICKY: &[&[u8]] = &[
    b"\0",
    b"\r\n",
    b"\n",
    b"\r",
    b"\xFF",
    b"\xFF\xFF",
    b"\xFF\xFA",
    b"\xC3\xBF",
    b"\xE2\x82",
    b" ",
    b"  ",
    b"-",
    b"\"",
    b"\\",
    b"..",
    b"/",
    b"0",
    b"255",
    b"256",
    b"65535",
    b"65536",
    b"18446744073709551615",
    b"18446744073709551616",
    b"-1",
    b"%",
    b";",
    b"=",
    b"[",
    b"]",
    b"*",
    b"?",
];
