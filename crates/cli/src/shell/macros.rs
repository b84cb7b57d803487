//! Macros: up to sixteen of them, 4096 bytes in all, `$1` and the loop over `$i`, as BSD's ftp has them.

/// One macro.
#[derive(Clone, PartialEq, Eq)]
struct Macro {
    name: Vec<u8>,
    lines: Vec<Vec<u8>>,
}

/// The macros that are defined.
#[derive(Default)]
pub(crate) struct Macros(Vec<Macro>);

impl Macros {
    /// Defines one, in place of one of this name.
    ///
    /// # Errors
    /// When there is no room for it, in the words of BSD's ftp.
    pub(crate) fn define(&mut self, name: &[u8], lines: Vec<Vec<u8>>) -> Result<(), &'static str> {
        let others = self.0.iter().filter(|other| other.name != name);
        let size = |lines: &[Vec<u8>]| lines.iter().map(|line| line.len() + 1).sum::<usize>();
        let taken: usize = others.map(|other| size(&other.lines)).sum();
        if taken + size(&lines) > ROOM {
            return Err("Macro not defined - 4K buffer exceeded.");
        }
        self.0.retain(|other| other.name != name);
        if self.is_full() {
            return Err("Limit of 16 macros have already been defined.");
        }
        self.0.push(Macro { name: name.to_vec(), lines });
        Ok(())
    }

    /// Whether no further one can be defined.
    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= MOST
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Their names and lines, in their order.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&[u8], &[Vec<u8>])> {
        self.0.iter().map(|one| (one.name.as_slice(), one.lines.as_slice()))
    }

    /// The lines to be carried out for a call with these arguments; none where there is no such macro.
    pub(crate) fn call(&self, name: &[u8], arguments: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
        let found = self.0.iter().find(|one| one.name == name)?;
        let loops = found.lines.iter().any(|line| expand(line, arguments, 0).1);
        let rounds = if loops { arguments.len() } else { 1 };
        let mut lines = Vec::new();
        for round in 0..rounds {
            lines.extend(found.lines.iter().map(|line| expand(line, arguments, round).0));
        }
        Some(lines)
    }
}

/// One line with its `$`s replaced, and whether `$i` stands in it.
fn expand(line: &[u8], arguments: &[Vec<u8>], round: usize) -> (Vec<u8>, bool) {
    let mut text = Vec::new();
    let mut loops = false;
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        at += 1;
        match (byte, line.get(at)) {
            // The backslash stays for what the split of words makes of it, except before what has a meaning here.
            (b'\\', Some(b'$')) => {
                text.push(b'$');
                at += 1;
            }
            (b'\\', Some(&next)) => {
                text.extend([byte, next]);
                at += 1;
            }
            (b'$', Some(b'0'..=b'9')) => {
                let digits = line[at..].iter().take_while(|b| b.is_ascii_digit()).count().min(4);
                let place =
                    line[at..at + digits].iter().fold(0, |place, b| place * 10 + usize::from(b - b'0'));
                at += digits;
                let argument = place.checked_sub(1).and_then(|place| arguments.get(place));
                text.extend(argument.into_iter().flatten());
            }
            (b'$', Some(b'i')) => {
                loops = true;
                at += 1;
                text.extend(arguments.get(round).into_iter().flatten());
            }
            (byte, _) => text.push(byte),
        }
    }
    (text, loops)
}

/// Macros at most.
const MOST: usize = 16;

/// Bytes of all of them together.
const ROOM: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(words: &[&str]) -> Vec<Vec<u8>> {
        words.iter().map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn arguments_are_put_in() {
        let mut macros = Macros::default();
        macros.define(b"up", bytes(&["cd $1", "put $2 \\$2 $3", "ls $"])).unwrap();
        let lines = macros.call(b"up", &bytes(&["dir", "file"])).unwrap();
        assert_eq!(lines, bytes(&["cd dir", "put file $2 ", "ls $"]));
        assert_eq!(macros.call(b"down", &[]), None);
    }

    #[test]
    fn a_loop_runs_once_for_each_argument() {
        let mut macros = Macros::default();
        macros.define(b"each", bytes(&["get $i", "delete $i"])).unwrap();
        let lines = macros.call(b"each", &bytes(&["a", "b"])).unwrap();
        assert_eq!(lines, bytes(&["get a", "delete a", "get b", "delete b"]));
        assert_eq!(macros.call(b"each", &[]), Some(Vec::new()));
    }

    #[test]
    fn there_is_room_for_sixteen_and_for_4096_bytes() {
        let mut macros = Macros::default();
        for at in 0..16 {
            macros.define(format!("m{at}").as_bytes(), bytes(&["pwd"])).unwrap();
        }
        assert!(macros.define(b"one more", Vec::new()).unwrap_err().contains("16"));
        macros.define(b"m3", bytes(&["ls"])).unwrap();
        let long = vec![vec![b'x'; 4096]];
        assert!(macros.define(b"m3", long).unwrap_err().contains("4K"));
        assert_eq!(macros.call(b"m3", &[]), Some(bytes(&["ls"])));
    }
}
