//! Scripts out of the whole of the language, and scripts with one thing in them that it does not have.

use super::setup::Setup;
use conformance::random::Random;
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
    "redirection: >",
    "redirection: >>",
    "redirection: <",
    "redirection: >&2",
    "redirection: 2>&1",
    "redirection: of a compound command",
    "parameter: $NAME",
    "parameter: ${NAME}",
    "parameter: ${NAME:-word}",
    "parameter: in \" \"",
    "pattern: *",
    "pattern: ?",
    "pattern: [ ]",
    "cd",
    "cd in ( )",
    "set -e",
    "set +e",
    "cat",
    "rm",
    "touch",
    "readlink",
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
    "ln -s",
    "ln -sf",
    "ln -sn",
    "ln: options apart",
    "ln: one operand",
    "ln: / last",
    "mkdir",
    "mkdir -p",
    "mkdir: several operands",
    "ls",
    "ls -1",
    "ls -A",
    "ls -a",
    "chmod N",
    "chmod -R N",
    "chmod a=rX",
    "chmod -R a=rX",
    "chmod: several operands",
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
    all_owned: bool,
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
        all_owned: false,
    };
    generator.script();
    let Generator { out, names, linked, slept, infinite, skip_busybox, all_owned, mut random, .. } = generator;
    // Once a link is made, sleep drops root's capabilities.
    let uid = if linked && slept || random.chance(50) { 1010 } else { 0 };
    let setup = Setup::random(&mut random, uid, &names, all_owned);
    // BusyBox lists no directory that it may not search: a listed difference.
    let skip_busybox = skip_busybox || setup.modes.iter().any(|(_, mode)| mode & 0o100 == 0);
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
        if self.chance(10) {
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
        self.blank();
        match self.random.below(5) {
            0 => {
                self.cover("redirection: <");
                self.push("<");
                self.maybe_blank();
                self.file();
            }
            1 => {
                self.cover("redirection: >&2");
                self.push(">&2");
            }
            2 => {
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
        let name = self.random.pick(&["out", "out2", "d/out", "model.bin", "a", "missing/out"]).as_bytes().to_vec();
        // BusyBox has 1 where a redirection fails, dash and POSIX a number above that.
        self.skip_busybox = true;
        self.word(&name);
    }

    /// There, or back to where it began: a shell says 2 if it cannot.
    fn cd(&mut self) {
        let inside = self.chance(50);
        self.cover(if inside { "cd in ( )" } else { "cd" });
        self.push(if inside { "(cd" } else { "{ cd" });
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
        let on = self.chance(70);
        self.cover(if on { "set -e" } else { "set +e" });
        self.push_one(if on {
            &["set -e", "set -eu", "set -o errexit", "set -e -u"]
        } else {
            &["set +e", "set +o errexit"]
        });
    }

    /// A tool that has no listed difference.
    fn tool(&mut self) {
        let name = *self.random.pick(&["cat", "rm", "rm", "touch", "readlink"]);
        if self.chance(10) {
            self.cover("simple: redirection in front");
            self.push_one(&[">out ", ">>out2 ", ">&2 "]);
        }
        self.cover(name);
        self.name(name, false);
        if name == "rm" {
            self.push_one(&[" -f", " -rf", " -r", "", " -R"]);
        }
        for index in 0..=self.random.below(2) {
            if index > 0 && name == "readlink" {
                break; // BusyBox 1.35 knows one
            }
            self.blank();
            let mut path = self.operand();
            // Where a file is named as a directory GNU's rm -f is silent; BusyBox complains, or removes it.
            self.skip_busybox |= name == "rm" && path.contains(&b'/');
            while name == "rm" && path.len() > 1 && path.ends_with(b"/") {
                path.pop();
            }
            self.word(if path.starts_with(b"-") || path == b"." { b"d" } else { &path });
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

    // Commands.

    fn simple(&mut self) {
        self.cover("command: simple");
        let exec = self.chance(2);
        if exec {
            self.cover("command: exec");
            self.push("exec");
            if self.chance(25) {
                self.cover("command: lone exec");
                return;
            }
            self.blank();
        }
        match self.random.below(if exec { 70 } else { 100 }) {
            0..14 => self.echo(exec),
            14..30 => self.test(exec),
            30..46 => self.ln(exec),
            46..56 => self.mkdir(exec),
            56..70 => self.ls(exec),
            70..77 => self.chmod(exec),
            77..80 => self.sleep(exec),
            80 | 81 if !self.looping || self.chance(30) => self.exit(),
            82 => {
                // Nothing that the shells say otherwise: these say nothing.
                self.cover("redirection: 2>&1");
                self.push_one(&["2>&1 true", ": 2>&1", "false 2>&1", "echo x 2>&1"]);
            }
            83 => self.cd(),
            85 => self.set(),
            86..90 => self.tool(),
            84 if self.chance(30) => {
                // A listing may be empty or long; as a name it is most often an unknown one.
                self.cover("name of a command out of $( ls )");
                self.push("\"$(ls -A e)\"");
                self.push(" nosuch");
            }
            _ => {
                let name = *self.random.pick(&[":", "true", "false"]);
                self.cover(name);
                self.name(name, false);
                self.arguments();
            }
        }
    }

    fn arguments(&mut self) {
        for _ in 0..self.random.below(3) {
            self.blank();
            let name = self.operand();
            self.word(&name);
        }
    }

    /// The name of a command, now and then by its path or quoted.
    fn name(&mut self, name: &str, exec: bool) {
        let path = name != ":" && name != "exit" && name != "[" && self.chance(6);
        if path {
            self.cover("command by path");
            self.push("/bin/");
        } else if exec && matches!(name, "ls" | "ln") {
            self.out.push(EXEC_MARK);
        }
        if self.chance(4) {
            self.word(name.as_bytes());
        } else {
            self.push(name);
        }
    }

    fn exit(&mut self) {
        self.name("exit", false);
        match self.random.below(4) {
            0 => self.cover("exit"),
            1 => {
                self.cover("exit N > 255");
                let number = 256 + self.random.below(1000);
                self.push(&format!(" {number}"));
            }
            _ => {
                self.cover("exit N");
                let number = self.random.below(256);
                self.blank();
                self.word(number.to_string().as_bytes());
            }
        }
    }

    fn echo(&mut self, exec: bool) {
        self.cover("echo");
        self.name("echo", exec);
        if self.chance(8) {
            self.cover("echo -n");
            self.push(" -n");
        }
        let count = self.random.below(4);
        if count == 0 {
            self.cover("echo without words");
        }
        for index in 0..count {
            self.blank();
            if index > 0 && self.chance(20) {
                self.expansion();
            } else if self.chance(50) {
                self.text(index == 0);
            } else {
                let name = self.operand();
                // What begins with a dash could be an option.
                self.word(if name.starts_with(b"-") { b"x" } else { &name });
            }
        }
    }

    fn test(&mut self, exec: bool) {
        let bracket = self.chance(70);
        if bracket {
            self.cover("[");
            self.push("[");
        } else {
            self.cover("test");
            self.name("test", exec);
        }
        let mut choices = 10;
        if self.chance(12) {
            self.cover("test: !");
            self.push(" !");
            if self.chance(15) {
                self.cover("test: ! !");
                self.push(" !");
                choices = 3; // dash goes wrong with more words: a listed difference
            }
        }
        match self.random.below(choices) {
            0 => self.cover("test: no word"),
            1 => {
                self.cover("test: one word");
                self.blank();
                let word = *self.random.pick(&["", "x", "!", "-d", "-n", "-", "--", "=", "]", "models"]);
                self.word(word.as_bytes());
            }
            2 => {
                self.cover("test: one word");
                self.blank();
                self.substituted();
            }
            number => {
                let (operator, production) = [
                    ("-d", "test: -d"),
                    ("-e", "test: -e"),
                    ("-f", "test: -f"),
                    ("-L", "test: -L"),
                    ("-n", "test: -n"),
                    ("-z", "test: -z"),
                ][self.random.below(6)];
                self.cover(production);
                self.blank();
                self.push(operator);
                self.blank();
                if number > 8 && matches!(operator, "-n" | "-z") {
                    self.substituted();
                } else {
                    let name = self.operand();
                    self.word(&name);
                }
            }
        }
        if bracket {
            self.blank();
            self.push("]");
        }
    }

    fn ln(&mut self, exec: bool) {
        self.linked = true;
        self.name("ln", exec);
        let force = self.chance(50);
        self.cover(if force { "ln -sf" } else { "ln -s" });
        let plain = self.chance(12);
        if plain {
            self.cover("ln -sn");
        }
        let mut letters: Vec<&str> = vec!["s"];
        if force {
            letters.push("f");
        }
        if plain {
            letters.push("n");
        }
        let rotate = self.random.below(letters.len());
        letters.rotate_left(rotate);
        if self.chance(10) {
            self.cover("ln: options apart");
            for letter in letters {
                self.push(&format!(" -{letter}"));
            }
        } else {
            self.push(&format!(" -{}", letters.concat()));
        }
        self.blank();
        let target = match self.random.below(10) {
            0..=4 => {
                self.cover("word: $$");
                self.push("/proc/$$/root/models");
                None
            }
            5 => Some(b"/mnt".to_vec()),
            6 => Some(b"/mnt/d".to_vec()),
            _ => Some(self.operand()),
        };
        if let Some(target) = target {
            let target = if target.starts_with(b"-") { b"t".to_vec() } else { target };
            self.skip_busybox |= target.is_empty(); // a listed difference
            self.word(&target);
        }
        if self.chance(8) {
            self.cover("ln: one operand");
        } else {
            self.blank();
            let mut path = self.operand();
            if path.starts_with(b"-") {
                path = b"l".to_vec();
            }
            if self.chance(8) {
                self.cover("ln: / last");
                path.extend(b"/");
            }
            self.word(&path);
        }
    }

    /// An operand that is no option.
    fn path(&mut self) {
        self.path_but("-");
    }

    fn path_but(&mut self, not: &str) {
        self.blank();
        let name = self.operand();
        self.word(if name.starts_with(b"-") || name == not.as_bytes() { b"d" } else { &name });
    }

    fn mkdir(&mut self, exec: bool) {
        self.cover("mkdir");
        self.name("mkdir", exec);
        if self.chance(50) {
            self.cover("mkdir -p");
            self.push(" -p");
        }
        self.path_but(".");
        while self.chance(20) {
            self.cover("mkdir: several operands");
            self.path_but(".");
        }
    }

    fn ls(&mut self, exec: bool) {
        self.name("ls", exec);
        self.ls_words();
    }

    fn ls_words(&mut self) {
        self.cover("ls");
        let mut letters = String::new();
        for (letter, production, percent) in [('1', "ls -1", 20), ('A', "ls -A", 35), ('a', "ls -a", 12)] {
            if self.chance(percent) {
                self.cover(production);
                letters.push(letter);
            }
        }
        if !letters.is_empty() {
            self.push(&format!(" -{letters}"));
        }
        if self.chance(80) {
            self.path();
        }
    }

    fn chmod(&mut self, exec: bool) {
        self.name("chmod", exec);
        let recursive = self.chance(35);
        if recursive {
            // Both listed differences.
            self.all_owned = true;
            self.skip_busybox = true;
            self.push(" -R");
        }
        self.blank();
        if self.chance(35) {
            self.cover(if recursive { "chmod -R a=rX" } else { "chmod a=rX" });
            self.skip_busybox = true; // a listed difference
            self.word(b"a=rX");
        } else {
            self.cover(if recursive { "chmod -R N" } else { "chmod N" });
            let mode =
                *self.random.pick(&["755", "0755", "644", "700", "777", "0", "444", "1777", "00755", "500", "711"]);
            self.skip_busybox |= matches!(mode, "644" | "0" | "444"); // a listed difference
            self.push(mode);
        }
        self.path();
        while self.chance(15) {
            self.cover("chmod: several operands");
            self.path();
        }
    }

    fn sleep(&mut self, exec: bool) {
        self.slept = true;
        let kind = self.random.below(300);
        let infinite = kind < 25 && !self.looping;
        self.name("sleep", exec);
        self.blank();
        if infinite {
            self.cover("sleep infinity");
            self.infinite = true;
            self.push("infinity");
        } else if kind == 299 && !self.looping {
            self.cover("sleep 1");
            self.push("1");
        } else {
            self.cover("sleep 0");
            self.push_one(&["0", "00", "'0'"]);
        }
    }

    // Words.

    /// What the environment and the directory have.
    fn expansion(&mut self) {
        let (production, words): (_, &[&str]) = match self.random.below(7) {
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
            self.ls_words();
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

/// What the language does not have, where a command could stand.
pub const MISSING: &[&str] = &[
    "ls | ls",
    "ls|ls -A",
    "ls <> x",
    "ls >| x",
    "ls << E\nx\nE",
    "ls &",
    "ls & ls",
    "(ls) & ls",
    "x=1",
    "x=1 ls",
    "x= ls",
    "PATH=/x ls",
    "ls --all",
    "ls -la /models -x",
    "echo $1",
    "echo $0",
    "echo $#",
    "echo $@",
    "echo $*",
    "echo $?",
    "echo $!",
    "echo $-",
    "echo $_",
    "echo \"$?\"",
    "echo \"$1\"",
    "echo `ls`",
    "`ls`",
    "echo \"`ls`\"",
    "echo $(ls)",
    "$(ls)",
    "[ $(ls -A /models) ]",
    "echo \"$(echo x)\"",
    "echo \"$(ls; ls)\"",
    "echo \"$(ls\nls)\"",
    "echo \"$(ls | ls)\"",
    "echo \"$(ls > x)\"",
    "echo \"$(mkdir x)\"",
    "echo \"$(ln -s a b)\"",
    "echo \"$( (ls) )\"",
    "echo \"$(exit 1)\"",
    "echo \"$(< x)\"",
    "echo $((1+1))",
    "echo \"$((1+1))\"",
    "[[ -d d ]]",
    "ls {a,b}",
    "ls a{b,c}",
    "ls ~",
    "ls ~/x",
    "ls ~root",
    "echo $'a'",
    "echo $\"a\"",
    "case a in a) ls;; esac",
    "for i in a b; do ls; done",
    "for i; do ls; done",
    "f() { ls; }",
    "f () ls",
    "export A",
    "set",
    "trap ls TERM",
    ". ./x",
    "while false; do break; done",
    "while false; do continue; done",
    "ls ;; ls",
    "; ls",
    "&& ls",
    "|| ls",
    "ls &&; ls",
    "ls ||",
    "ls &&",
    "ls && && ls",
    "ls ; ; ls",
    "( )",
    "()",
    "ls )",
    "( ls",
    "(ls;",
    "(ls) ls",
    "(ls) (ls)",
    "!",
    "! ! ls",
    "if ls; fi",
    "if; then ls; fi",
    "if ls; then fi",
    "if ls; then ls",
    "if ls; then ls; else fi",
    "if ls; then ls; elif ls; fi",
    "if ls then ls; fi",
    "while ls; done",
    "while false; do done",
    "while; do ls; done",
    "while false; do ls",
    "until true; ls; done",
    "while false do ls; done",
    "do",
    "done",
    "do ls; done",
    "'ls",
    "\"ls",
    "echo \"$(ls\"",
    "echo \"$(ls",
    "echo '",
    "echo $",
    "echo a$",
    "echo \"$\"",
    "echo \"a$\"",
    "echo $/x",
    "ln -s /proc/$/root/models x",
    "sh",
    "sh x",
    "sh -x",
    "sh -e -c ls",
    "sh -c ls",
    "sh -c 'ls | ls'",
    "exec sh -c ls",
    "/bin/sh -c ls",
    "echo \\",
    "ls -Z",
    "ln a b",
    "ln -f a b",
    "ln",
    "ln -s",
    "ln --symbolic a b",
    "mkdir",
    "mkdir -p",
    "mkdir --parents x",
    "chmod",
    "chmod 755",
    "chmod 9 a",
    "chmod 07777777 a",
    "chmod -v 755 a",
    "sleep",
    "sleep x",
    "sleep -1",
    "echo -e x",
    "echo -E x",
    "[ -d a",
    "[",
    "[ ]x",
    "[ 1 -eq 1 ]",
    "[ -d a -a -d b ]",
    "[ -d a -o -d b ]",
    "[ ! -d a -o b ]",
    "[ ( -d a ) ]",
    "[ \\( a \\) ]",
    "test a b",
    "test -d a b",
    "exit x",
    "exit -1",
    "exit 1 2",
];

/// A script with one of [`MISSING`] in it, in one of several places.
pub fn negative(seed: u64, missing: &str) -> Script {
    let mut random = Random::new(seed);
    let mut ignored = Coverage::new();
    let mut before = positive(random.next(), &mut ignored);
    let behind = positive(random.next(), &mut ignored);
    // A comment at the end would hide what follows on the line.
    let open = missing.contains(['\'', '"']) || missing.contains("<<") || missing.ends_with(['&', '|', '\\']);
    let place = random.below(if open { 2 } else { 6 });
    let text = |script: &Script| script.text.iter().copied().filter(|&byte| byte != EXEC_MARK).collect::<Vec<u8>>();
    let (before_text, behind_text) = (text(&before), text(&behind));
    let missing = missing.as_bytes();
    before.text = match place {
        0 => missing.to_vec(),
        1 => [&before_text, &b"\n"[..], missing].concat(),
        2 => [missing, b"\n", &behind_text].concat(),
        3 => [&before_text, &b"\n"[..], missing, b"\n", &behind_text].concat(),
        4 => [&b"while false; do\n"[..], &before_text, b"\n", missing, b"\ndone"].concat(),
        _ => [&b"true || (\n"[..], missing, b"\n)"].concat(),
    };
    before
}
