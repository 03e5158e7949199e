//! Scripts out of the whole of the language.

mod commands;
mod refused;

use super::setup::{By, Call, Setup};
use conformance::random::Random;
pub use refused::{MISSING, negative};
use std::collections::BTreeMap;

/// How often each production has been used.
pub type Coverage = BTreeMap<&'static str, usize>;

/// All that the language has: each must have been used.
pub const PRODUCTIONS: &[&str] = &[
    "list: newline first",
    "list: ;",
    "list: newline",
    "list: ; last",
    "list: newline last",
    "and_or: &&",
    "and_or: ||",
    "and_or: newline behind",
    "pipeline: !",
    "pipeline: ! before a compound command",
    "command: ( )",
    "command: ( ) in newlines",
    "command: while",
    "command: until",
    "command: loop of several rounds",
    "command: keyword behind )",
    "compound: if",
    "compound: elif",
    "compound: else",
    "compound: { }",
    "simple: redirection in front",
    "simple: redirection alone",
    "redirection: >",
    "redirection: >>",
    "redirection: <",
    "redirection: >&2",
    "redirection: 2>&1",
    "redirection: of a compound command",
    "redirection: of the rest",
    "redirection: /dev/null",
    "redirection: 2>",
    "redirection: several",
    "redirection: a pattern as a name",
    "parameter: $NAME",
    "parameter: ${NAME}",
    "parameter: ${NAME:-word}",
    "parameter: in \" \"",
    "parameter: unset",
    "operand: parameter",
    "operand: pattern",
    "pattern: *",
    "pattern: ?",
    "pattern: [ ]",
    "cd",
    "cd in ( )",
    "set -e",
    "set +e",
    "set -u",
    "set -o pipefail",
    "call: sh with options",
    "call: sh with words behind",
    "call: sh FILE",
    "call: a command by its name",
    "call: after the entrypoint",
    "options apart",
    "options behind operands",
    "--",
    "cat",
    "cat of standard input",
    "rm",
    "touch",
    "readlink",
    "readlink -n",
    "command: exec",
    "command: lone exec",
    "command: simple",
    "word: plain",
    "word: \\ character",
    "word: \\ newline",
    "word: $$",
    "word: ' '",
    "word: \" \"",
    "word: \" \" \\ character",
    "word: \" \" \\ newline",
    "word: \" \" \\ kept",
    "word: \" \" $$",
    "word: \" \" newline",
    "word: \" \" $( ls )",
    "word: \" \" $( ls ) in itself",
    "word: several pieces",
    "word: empty",
    "word: beyond ASCII",
    "blank: several",
    "blank: \\ newline",
    "comment",
    "comment: at the end",
    ":",
    "true",
    "false",
    "exit",
    "exit N",
    "exit N > 255",
    "echo",
    "echo -n",
    "echo without words",
    "echo with a backslash",
    "echo: -- as a word",
    "[",
    "test",
    "test: no word",
    "test: one word",
    "test: !",
    "test: ! !",
    "test: -d",
    "test: -e",
    "test: -f",
    "test: -L",
    "test: -n",
    "test: -z",
    "test: -s",
    "test: -h",
    "test: -r",
    "test: -w",
    "test: -x",
    "test: =",
    "test: !=",
    "ln -s",
    "ln -sf",
    "ln -sn",
    "ln -T",
    "ln -v",
    "ln: one operand",
    "ln: several operands",
    "ln: / last",
    "mkdir",
    "mkdir -p",
    "mkdir -m",
    "mkdir: several operands",
    "ls",
    "ls -1",
    "ls -A",
    "ls -a",
    "ls -d",
    "ls -r",
    "ls -R",
    "ls -l",
    "ls -h",
    "ls -n",
    "ls -F",
    "ls: several operands",
    "chmod N",
    "chmod -R N",
    "chmod a=rX",
    "chmod -R a=rX",
    "chmod WORDS",
    "chmod -R WORDS",
    "chmod: several operands",
    "cp",
    "cp -r",
    "cp -R",
    "cp -a",
    "cp -p",
    "cp -d",
    "cp -P",
    "cp -f",
    "cp -T",
    "cp -v",
    "cp SOURCE/.",
    "cp: several operands",
    "tar",
    "tar -C",
    "tar: several operands",
    "tail -f",
    "sleep 0",
    "sleep 1",
    "sleep infinity",
    "command by path",
    "name of a command out of $( ls )",
];

/// Stands before the name of a tool that `exec` runs; see [`super::render`].
pub const EXEC_MARK: u8 = 1;

/// A script, what is there before it runs, and who is to agree.
#[derive(Clone, Debug)]
pub struct Script {
    pub text: Vec<u8>,
    pub setup: Setup,
    /// It may sleep for ever.
    pub may_wait: bool,
    /// BusyBox prints other names than there are.
    pub skip_busybox: bool,
}

const PLAIN: &[&str] =
    &["a", "b", "d", "e", "models", "d/a", "d/b", "e/a", "a/b/c", "./a", "d/", "/mnt/models", "/mnt/d/", "x.y", ".h"];
const OTHER: &[&str] = &[
    "sp ace",
    "quo'te",
    "dq\"",
    "back\\slash",
    "do$llar",
    "#hash",
    "semi;colon",
    "star*",
    "a=b",
    "~",
    "{x}",
    "-x",
    "!",
];
const WEIRD: &[&str] = &["m\u{f6}del", "\u{6a21}", "tab\there"];

pub struct Generator<'a> {
    random: Random,
    out: Vec<u8>,
    coverage: &'a mut Coverage,
    names: Vec<String>,
    depth: usize,
    unique: usize,
    /// In a loop's body: what sleeps or takes long stays out.
    looping: bool,
    linked: bool,
    slept: bool,
    infinite: bool,
    skip_busybox: bool,
    /// It may have what BusyBox does otherwise.
    gnu_only: bool,
    all_owned: bool,
    /// No shell: one command with its words.
    direct: bool,
    /// It writes an archive.
    archives: bool,
    /// `--` came: operands may look like options.
    dashes: bool,
    /// No name that GNU quotes in another way when it tells what it did.
    tame_names: bool,
}

/// A script that all three are to do alike.
pub fn positive(seed: u64, coverage: &mut Coverage) -> Script {
    let mut random = Random::new(seed);
    let mut names: Vec<String> = PLAIN.iter().map(|&name| name.into()).collect();
    for _ in 0..random.below(4) {
        names.push(random.pick(OTHER).to_string());
    }
    let weird = random.chance(4);
    if weird {
        for _ in 0..3 {
            names.push(random.pick(WEIRD).to_string());
        }
    }
    let tame_names = !weird && !names.iter().any(|name| name.contains('\''));
    let mut generator = Generator {
        random: random.clone(),
        out: Vec::new(),
        coverage,
        names,
        depth: 0,
        unique: 0,
        looping: false,
        linked: false,
        slept: false,
        infinite: false,
        skip_busybox: weird,
        gnu_only: random.chance(60),
        all_owned: false,
        direct: false,
        archives: false,
        dashes: false,
        tame_names,
    };
    let call = generator.call();
    match call.by {
        By::Name(_) => generator.program(false),
        _ => generator.script(),
    }
    let Generator {
        out, names, linked, slept, infinite, skip_busybox, gnu_only, all_owned, archives, mut random, ..
    } = generator;
    let (mut uid, mut gid) =
        *random.pick(&[(0, 0), (0, 0), (0, 0), (1010, 1010), (1010, 1010), (65534, 65534), (1_000_770_000, 0)]);
    // Once a link is made, sleep drops root's capabilities.
    if linked && slept && uid == 0 {
        (uid, gid) = (1010, 1010);
    }
    let mut setup = Setup::random(&mut random, uid, &names, all_owned, gnu_only);
    setup.gid = gid;
    setup.umask = *random.pick(&[None, None, None, Some(0o077), Some(0o002), Some(0), Some(0o027), Some(0o026)]);
    setup.call = call;
    // BusyBox lists no directory that it may not search: a listed difference.
    // Nor does it keep special bits, and it cannot write a large number of a user into an archive.
    let skip_busybox = skip_busybox
        || setup.modes.iter().any(|(_, mode)| mode & 0o505 != 0o505 || mode & 0o6000 != 0)
        || uid > 0o7_777_777 && archives;
    Script { text: out, setup, may_wait: infinite, skip_busybox }
}

impl Generator<'_> {
    fn cover(&mut self, production: &'static str) {
        debug_assert!(PRODUCTIONS.contains(&production), "{production}");
        *self.coverage.entry(production).or_default() += 1;
    }

    fn push(&mut self, text: &str) {
        self.out.extend(text.as_bytes());
    }

    fn push_one(&mut self, texts: &[&str]) {
        let text = *self.random.pick(texts);
        self.push(text);
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.random.chance(percent)
    }

    /// Whether, so often in a hundred, to have what BusyBox does otherwise.
    fn without_busybox(&mut self, percent: usize) -> bool {
        let chosen = self.gnu_only && self.chance(percent);
        self.skip_busybox |= chosen;
        chosen
    }

    /// How it is started.
    fn call(&mut self) -> Call {
        let entrypoint = self.chance(20);
        if entrypoint {
            self.cover("call: after the entrypoint");
        }
        let by = match self.random.below(10) {
            0 | 1 => {
                self.cover("call: a command by its name");
                self.direct = true;
                By::Name(self.random.pick::<&str>(&["", "", "/bin/", "/usr/local/bin/", "./"]))
            }
            2 => {
                self.cover("call: sh FILE");
                By::File
            }
            _ => By::Script,
        };
        let mut call = Call { by, entrypoint, ..Call::default() };
        if !self.direct && self.chance(20) {
            self.cover("call: sh with options");
            call.options = self.random.pick::<&[&str]>(&[
                &["-e"],
                &["-u"],
                &["-eu"],
                &["-e", "-u"],
                &["-o", "errexit"],
                &["-eo", "pipefail"],
                &["-e", "-u", "-o", "pipefail"],
                &["-euo", "pipefail"],
                &["-o", "nounset"],
            ]);
            // The end of a script by -u is another one in BusyBox.
            self.skip_busybox |= call.options.iter().any(|option| option.contains('u'));
        }
        if self.chance(10) && !self.direct {
            self.cover("call: sh with words behind");
            call.behind = &["name", "-x", "a b"];
        }
        call
    }

    // What a script is made of.

    fn script(&mut self) {
        if self.chance(10) {
            self.cover("list: newline first");
            self.newlines();
        }
        self.list(4);
        if self.chance(5) {
            self.cover("comment: at the end");
            self.push(" # the end; (echo 'no");
        }
    }

    fn newlines(&mut self) {
        for _ in 0..=self.random.below(2) {
            if self.chance(15) {
                self.cover("comment");
                self.push(" #a comment with ' and \" and $( in it");
            }
            self.push("\n");
            if self.chance(30) {
                self.push_one(&["  ", "\t"]);
            }
        }
    }

    /// One blank, or what is as good.
    fn blank(&mut self) {
        match self.random.below(40) {
            0..=2 => {
                self.cover("blank: several");
                self.push(" \t ");
            }
            3 => {
                self.cover("blank: \\ newline");
                self.push(" \\\n ");
            }
            _ => self.push(" "),
        }
    }

    fn maybe_blank(&mut self) {
        if self.chance(80) {
            self.blank();
        }
    }

    /// What must stand between a list and the word that ends it.
    fn separator(&mut self) {
        if self.chance(60) {
            self.maybe_blank();
            self.cover("list: ;");
            self.push(";");
            self.maybe_blank();
        } else {
            self.cover("list: newline");
            self.newlines();
        }
    }

    fn list(&mut self, longest: usize) {
        self.depth += 1;
        for index in 0..=self.random.below(longest) {
            if index > 0 {
                self.separator();
            }
            self.and_or();
        }
        self.depth -= 1;
        if self.depth == 0 && self.chance(10) {
            if self.chance(50) {
                self.cover("list: ; last");
                self.push(";");
            } else {
                self.cover("list: newline last");
                self.newlines();
            }
        }
    }

    fn and_or(&mut self) {
        self.pipeline();
        while self.chance(35) {
            self.maybe_blank();
            if self.chance(50) {
                self.cover("and_or: &&");
                self.push("&&");
            } else {
                self.cover("and_or: ||");
                self.push("||");
            }
            if self.chance(10) {
                self.cover("and_or: newline behind");
                self.newlines();
            } else {
                self.maybe_blank();
            }
            self.pipeline();
        }
    }

    fn pipeline(&mut self) {
        let negate = self.chance(10);
        if negate {
            self.cover("pipeline: !");
            self.push("!");
            self.blank();
        }
        let compound = self.depth < 5 && self.chance(28 - 5 * self.depth);
        if negate && compound {
            self.cover("pipeline: ! before a compound command");
        }
        if !compound {
            return self.simple();
        }
        match self.random.below(10) {
            0..3 => self.parentheses(),
            3..5 => self.choice(),
            5 => self.braces(),
            _ => self.repeat(),
        }
        if self.chance(12) {
            self.cover("redirection: of a compound command");
            self.redirection();
        }
    }

    fn braces(&mut self) {
        self.cover("compound: { }");
        self.push("{");
        self.blank();
        self.list(3);
        self.separator();
        self.push("}");
    }

    fn choice(&mut self) {
        self.cover("compound: if");
        self.push("if");
        self.list_until("then");
        if self.chance(25) {
            self.list_until("elif");
            self.cover("compound: elif");
            self.list_until("then");
        }
        if self.chance(50) {
            self.list_until("else");
            self.cover("compound: else");
        }
        self.list_until("fi");
    }

    /// Of standard output to a file, or of what exists; what goes to standard error is different in each shell.
    fn redirection(&mut self) {
        self.one_redirection();
        while self.chance(12) {
            self.cover("redirection: several");
            self.one_redirection();
        }
    }

    fn one_redirection(&mut self) {
        self.blank();
        match self.random.below(if self.gnu_only { 9 } else { 4 }) {
            0 => {
                self.cover("redirection: >&2");
                self.push_one(&[">&2", "1>&2"]);
            }
            1 | 2 => {
                self.cover("redirection: /dev/null");
                self.push_one(&[
                    ">/dev/null",
                    "2>/dev/null",
                    "</dev/null",
                    ">> /dev/null",
                    ">/dev/null 2>&1",
                    "0</dev/null",
                ]);
            }
            3 => {
                // Whether there is anything in it is looked at then.
                self.cover("redirection: 2>");
                self.push_one(&["2>/out/err1", "2>>/out/err2", "2>>'/out/err3'"]);
            }
            4 => {
                self.cover("redirection: <");
                self.push("<");
                self.maybe_blank();
                self.file();
            }
            5 => {
                self.cover("redirection: >>");
                self.push(">>");
                self.maybe_blank();
                self.file();
            }
            _ => {
                self.cover("redirection: >");
                self.push_one(&[">", "1>"]);
                self.maybe_blank();
                self.file();
            }
        }
    }

    /// A file to read or write: one that may be there, or something else that is no file.
    fn file(&mut self) {
        // BusyBox has 1 where a redirection fails, dash and POSIX a number above that.
        self.skip_busybox = true;
        if self.chance(12) {
            self.cover("redirection: a pattern as a name");
            return self.push_one(&["o*", "\"$V\"", "$N", "o[u]t", "${V}?", "\"$BLANK\""]);
        }
        let name = self
            .random
            .pick(&["out", "out2", "d/out", "model.bin", "a", "missing/out", "/models/x"])
            .as_bytes()
            .to_vec();
        self.word(&name);
    }

    /// There, or back to where it began: a shell says 2 if it cannot.
    fn cd(&mut self) {
        let inside = self.chance(50);
        self.cover(if inside { "cd in ( )" } else { "cd" });
        self.push(if inside { "(cd" } else { "{ cd" });
        self.dashes = false;
        self.path_but("");
        self.push(" || cd /mnt");
        if inside {
            self.separator();
            self.simple();
            self.push(")");
        } else {
            self.push("; }");
        }
    }

    fn set(&mut self) {
        match self.random.below(10) {
            0..3 => {
                self.cover("set +e");
                self.push_one(&["set +e", "set +o errexit", "set +eu", "set +u", "set +o nounset"]);
            }
            3 | 4 if self.gnu_only => {
                self.cover("set -u");
                self.skip_busybox = true; // it ends a script with another number
                self.push_one(&["set -u", "set -eu", "set -o nounset", "set -e -u", "set -euo pipefail", "set -u +e"]);
            }
            5 | 6 => {
                self.cover("set -o pipefail");
                self.push_one(&["set -o pipefail", "set -eo pipefail", "set -e -o pipefail", "set +o pipefail"]);
            }
            _ => {
                self.cover("set -e");
                self.push_one(&["set -e", "set -o errexit", "set -e -o errexit"]);
            }
        }
    }

    fn parentheses(&mut self) {
        self.cover("command: ( )");
        self.push("(");
        let newlines = self.chance(15);
        if newlines {
            self.cover("command: ( ) in newlines");
            self.newlines();
        }
        self.list(3);
        if newlines {
            self.newlines();
        }
        self.push(")");
    }

    /// A list and the word behind it.
    fn list_until(&mut self, keyword: &str) {
        self.blank();
        if self.chance(10) {
            self.parentheses();
            self.cover("command: keyword behind )");
            self.blank();
        } else {
            self.list(2);
            self.separator();
        }
        self.push(keyword);
    }

    /// A loop that comes to an end: by its condition, by an `exit`, or by what it makes.
    fn repeat(&mut self) {
        let looping = std::mem::replace(&mut self.looping, true);
        let until = self.chance(50);
        let word = if until { "until" } else { "while" };
        self.cover(if until { "command: until" } else { "command: while" });
        self.push(word);
        match self.random.below(4) {
            0 => {
                self.blank();
                self.push(if until { "true" } else { "false" });
                self.separator();
                self.push("do");
                self.list_until("done");
            }
            1 => {
                self.list_until("do");
                self.blank();
                self.list(2);
                self.separator();
                self.exit();
                self.separator();
                self.push("done");
            }
            2 => {
                // Each round makes one directory.
                self.unique += 1;
                let name = format!("u{}", self.unique);
                let not = if until { "" } else { "! " };
                self.push(&format!(" {not}[ -d {name} ]"));
                self.separator();
                self.push("do");
                self.blank();
                self.list(2);
                self.separator();
                self.push(&format!("mkdir {name} || exit 9"));
                self.separator();
                self.push("done");
            }
            _ => {
                self.cover("command: loop of several rounds");
                self.unique += 1;
                let name = format!("u{}", self.unique);
                let not = if until { "" } else { "! " };
                self.push(&format!(
                    " {not}[ -e {name}/1/2 ]; do ([ -e {name}/1 ] && mkdir {name}/1/2) || ([ -e {name} ] && mkdir {name}/1) || mkdir {name} || exit 7"
                ));
                self.separator();
                self.simple();
                self.separator();
                self.push("done");
            }
        }
        self.looping = looping;
    }

    // Words.

    /// What the environment and the directory have.
    fn expansion(&mut self) {
        let (production, words): (_, &[&str]) = match self.random.below(8) {
            7 => ("parameter: unset", &["$UNSET", "${UNSET}", "\"$UNSET\"", "x$UNSET", "\"${UNSET}y\""]),
            0 => ("parameter: $NAME", &["$V", "x$V", "$V/$N", "$EMPTY"]),
            1 => ("parameter: ${NAME}", &["${V}", "${V}x", "a${EMPTY}b"]),
            2 => (
                "parameter: ${NAME:-word}",
                &["${UNSET:-w}", "${V:-w}", "${EMPTY:-${V}}", "${UNSET:-}", "x${UNSET:-a/b}"],
            ),
            3 => {
                ("parameter: in \" \"", &["\"$V\"", "\"$BLANK x\"", "\"${BLANK}\"", "\"${UNSET:-a b}\"", "\"$EMPTY\""])
            }
            4 => ("pattern: *", &["*", "d/*", "*/*", "./*", "m*l*", "/mnt/*", "*.y", "no*thing", "'*'*", ".*d"]),
            5 => ("pattern: ?", &["?", "d/?", "./??", "?/?", "m?dels"]),
            _ => ("pattern: [ ]", &["[ab]", "[a-e]*", "[!a]", "d/[!.]*", "[]x]", "[a", "m[m-q]d*", "[d]/[a]"]),
        };
        self.cover(production);
        self.push_one(words);
    }

    fn operand(&mut self) -> Vec<u8> {
        match self.random.below(20) {
            0 => b"missing/x".to_vec(),
            1 => b"/models".to_vec(),
            2 => b".".to_vec(),
            3 => Vec::new(),
            4 => b"/models/model.bin".to_vec(),
            _ => self.random.pick(&self.names).clone().into_bytes(),
        }
    }

    /// `"$(ls ...)"`
    fn substituted(&mut self) {
        self.push("\"");
        self.substitution(0);
        self.push("\"");
    }

    fn substitution(&mut self, level: usize) {
        self.cover(if level == 0 { "word: \" \" $( ls )" } else { "word: \" \" $( ls ) in itself" });
        self.push("$(");
        if self.chance(10) {
            self.blank();
        }
        self.name("ls", false);
        if level < 2 && self.chance(15) {
            // A listing as the path of another.
            self.push(" -A \"");
            self.substitution(level + 1);
            self.push("\"");
        } else {
            self.ls_words(None);
        }
        if self.chance(8) {
            self.blank();
        }
        self.push(")");
    }

    /// Anything that can stand in a word, for echo.
    fn text(&mut self, first: bool) {
        let mut pieces = 0;
        // Not an option by chance.
        if first {
            self.push("x");
        }
        loop {
            pieces += 1;
            match self.random.below(12) {
                0 => {
                    self.cover("word: $$");
                    self.push("$$");
                }
                2 => self.substituted(),
                3 => {
                    self.cover("word: \" \" $$");
                    self.push("\"p$$q\"");
                }
                5 => {
                    self.cover("word: \" \" newline");
                    self.push("\"one\ntwo\"");
                }
                6 => {
                    self.cover("word: \" \" \\ kept");
                    self.cover("echo with a backslash");
                    self.push_one(&["\"a\\b\"", "\"\\t\"", "\"x\\'y\"", "\"\\ \"", "\"\\c\""]);
                }
                7 => {
                    self.cover("word: \" \" \\ newline");
                    self.push("\"conti\\\nnued\"");
                }
                8 => {
                    self.cover("word: beyond ASCII");
                    const BYTES: &[&[u8]] = &[b"\xc3\xa4", b"\xff\xfe", b"\x80", b"\x7f", b"\x1b"];
                    self.out.extend_from_slice(self.random.pick::<&[u8]>(BYTES));
                }
                _ => {
                    let length = self.random.below(6);
                    let value: Vec<u8> = (0..length)
                        .map(|_| *self.random.pick(b"abcxyz01 \t\n'\"\\$`!#&|;()<>*?[]{}~=%^+-_.,:/@"))
                        .collect();
                    if value.contains(&b'\\') {
                        self.cover("echo with a backslash");
                    }
                    self.word(&value);
                }
            }
            if !self.chance(35) {
                break;
            }
        }
        if pieces > 1 {
            self.cover("word: several pieces");
        }
    }

    /// A word that means `value`, quoted one way or another.
    fn word(&mut self, value: &[u8]) {
        if value.is_empty() {
            self.cover("word: empty");
            return self.push_one(&["''", "\"\""]);
        }
        let mut rest = value;
        let mut pieces = 0;
        while !rest.is_empty() {
            pieces += 1;
            let length = if self.chance(75) { rest.len() } else { 1 + self.random.below(rest.len()) };
            let (piece, behind) = rest.split_at(length);
            rest = behind;
            match self.random.below(10) {
                0..=1 => {
                    self.cover("word: ' '");
                    self.push("'");
                    for &byte in piece {
                        if byte == b'\'' { self.push("'\\''") } else { self.out.push(byte) }
                    }
                    self.push("'");
                }
                2..=4 => {
                    self.cover("word: \" \"");
                    self.push("\"");
                    for &byte in piece {
                        if matches!(byte, b'$' | b'`' | b'"' | b'\\') {
                            self.cover("word: \" \" \\ character");
                            self.push("\\");
                        }
                        self.out.push(byte);
                    }
                    self.push("\"");
                }
                _ => {
                    for (index, &byte) in piece.iter().enumerate() {
                        let plain = byte.is_ascii_alphanumeric()
                            || b"/._-+:,@%^".contains(&byte)
                            || byte >= 0x80
                            || (b"!]}=#~".contains(&byte) && index > 0);
                        if byte == b'\n' {
                            self.push("'\n'");
                        } else if plain {
                            self.cover("word: plain");
                            if index > 0 && self.chance(1) {
                                self.cover("word: \\ newline");
                                self.push("\\\n");
                            }
                            if self.chance(2) {
                                self.cover("word: \\ character");
                                self.push("\\");
                            }
                            self.out.push(byte);
                        } else {
                            self.cover("word: \\ character");
                            self.push("\\");
                            self.out.push(byte);
                        }
                    }
                }
            }
        }
        if pieces > 1 {
            self.cover("word: several pieces");
        }
    }
}
