//! The commands, with the words that they take.

use super::{EXEC_MARK, Generator};

impl Generator<'_> {
    pub(super) fn simple(&mut self) {
        let start = self.out.len();
        self.simple_without_redirection();
        // An archive has its own place; and what would be the reason of a failure is not compared.
        let text = String::from_utf8_lossy(&self.out[start..]);
        if !text.contains("/out/archive") && !text.contains("2>&1") && self.chance(10) {
            self.redirection();
        }
    }

    fn simple_without_redirection(&mut self) {
        self.cover("command: simple");
        let exec = self.chance(2);
        if exec {
            self.cover("command: exec");
            self.push("exec");
            if self.chance(25) {
                self.cover("command: lone exec");
                if self.chance(60) {
                    self.cover("redirection: of the rest");
                    self.redirection();
                }
                return;
            }
            self.blank();
        }
        match self.random.below(if exec { 88 } else { 112 }) {
            0..88 => self.program(exec),
            88 | 89 if !self.looping || self.chance(30) => self.exit(),
            96 => {
                self.cover("simple: redirection alone");
                self.one_redirection();
            }
            90 => {
                // Nothing that the shells say otherwise: these say nothing.
                self.cover("redirection: 2>&1");
                self.push_one(&["2>&1 true", ": 2>&1", "false 2>&1", "echo x 2>&1"]);
            }
            91 | 92 => self.cd(),
            93 | 94 => self.set(),
            95 if self.chance(30) => {
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

    /// One of those that are files elsewhere.
    pub(super) fn program(&mut self, exec: bool) {
        match self.random.below(88) {
            0..12 => self.echo(exec),
            12..26 => self.test(exec),
            26..38 => self.ln(exec),
            38..47 => self.mkdir(exec),
            47..60 => self.ls(exec),
            60..69 => self.chmod(exec),
            69..72 => self.sleep(exec),
            72..80 => self.cp(exec),
            80 | 81 => self.tar(exec),
            82 => self.tail(exec),
            83 => {
                let name = *self.random.pick(&["true", "false"]);
                self.cover(name);
                self.name(name, exec);
                self.arguments();
            }
            _ => self.tool(exec),
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
    pub(super) fn name(&mut self, name: &str, exec: bool) {
        self.dashes = false;
        let path = !self.direct && name != ":" && name != "exit" && name != "[" && self.chance(6);
        if path {
            self.cover("command by path");
            self.push("/bin/");
        } else if exec {
            self.out.push(EXEC_MARK);
        }
        if self.chance(4) {
            self.word(name.as_bytes());
        } else {
            self.push(name);
        }
    }

    pub(super) fn exit(&mut self) {
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
            if index > 0 && !self.direct && self.chance(20) {
                self.expansion();
            } else if !self.direct && self.chance(50) {
                self.text(index == 0);
            } else {
                // What begins with a dash could be an option at first.
                let name = self.operand();
                if index > 0 && self.chance(10) {
                    self.cover("echo: -- as a word");
                    self.push("--");
                } else {
                    self.word(if name.starts_with(b"-") { b"x" } else { &name });
                }
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
        let mut choices = 14;
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
            2 if !self.direct => {
                self.cover("test: one word");
                self.blank();
                self.substituted();
            }
            3 | 4 => {
                let equal = self.chance(50);
                self.cover(if equal { "test: =" } else { "test: !=" });
                self.compared();
                self.push_one(if equal { &[" = ", " '=' "] } else { &[" != ", " \"!=\" "] });
                self.compared();
            }
            number => {
                let mut index = self.random.below(11);
                if index == 10 && !self.without_busybox(100) {
                    index = 0;
                }
                let (operator, production) = [
                    ("-d", "test: -d"),
                    ("-e", "test: -e"),
                    ("-f", "test: -f"),
                    ("-L", "test: -L"),
                    ("-n", "test: -n"),
                    ("-z", "test: -z"),
                    ("-s", "test: -s"),
                    ("-h", "test: -h"),
                    ("-r", "test: -r"),
                    ("-x", "test: -x"),
                    ("-w", "test: -w"), // where the kernel may say no to root, BusyBox does not ask
                ][index];
                self.cover(production);
                self.blank();
                self.push(operator);
                self.blank();
                if number > 10 && !self.direct && matches!(operator, "-n" | "-z") {
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

    /// What `test` compares.
    fn compared(&mut self) {
        self.blank();
        if self.direct || self.chance(60) {
            let word = *self.random.pick(&["", "a", "value", "d", "=", "!", "-f", "x y", "]", "*"]);
            self.word(word.as_bytes());
        } else if self.chance(15) {
            self.substituted();
        } else {
            self.push_one(&["\"$V\"", "\"$N\"", "$V", "\"$UNSET\"", "\"${UNSET:-a}\"", "\"$EMPTY\"", "\"$BLANK\""]);
        }
    }

    /// A command's options, together or apart; what is returned is to stand behind the operands.
    fn options(&mut self, letters: &[char]) -> String {
        let mut letters = letters.to_vec();
        if letters.len() > 1 {
            let rotate = self.random.below(letters.len());
            letters.rotate_left(rotate);
        }
        self.dashes = false;
        let text = if letters.is_empty() {
            String::new()
        } else if letters.len() > 1 && self.chance(15) {
            self.cover("options apart");
            letters.iter().map(|letter| format!(" -{letter}")).collect()
        } else {
            format!(" -{}", letters.iter().collect::<String>())
        };
        if !text.is_empty() && self.chance(6) {
            self.cover("options behind operands");
            return text;
        }
        self.push(&text);
        if self.chance(8) {
            self.cover("--");
            self.push(" --");
            self.dashes = true;
        }
        String::new()
    }

    /// Each letter with its production, in so many of a hundred.
    fn letters(&mut self, letters: &[(char, &'static str, usize)]) -> Vec<char> {
        let mut chosen = Vec::new();
        for &(letter, production, percent) in letters {
            if self.chance(percent) {
                self.cover(production);
                chosen.push(letter);
            }
        }
        chosen
    }

    fn ln(&mut self, exec: bool) {
        self.linked = true;
        self.name("ln", exec);
        let mut letters = vec!['s'];
        let force = self.chance(50);
        self.cover(if force { "ln -sf" } else { "ln -s" });
        letters.extend(force.then_some('f'));
        letters.extend(self.letters(&[('n', "ln -sn", 12)]));
        // BusyBox says it before it tries.
        if self.tame_names && self.without_busybox(12) {
            self.cover("ln -v");
            letters.push('v');
        }
        let exactly = self.without_busybox(15);
        if exactly {
            self.cover("ln -T");
            letters.push('T');
        }
        let late = self.options(&letters);
        self.blank();
        let target = match self.random.below(10) {
            0..=4 if !self.direct => {
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
        if !exactly && self.chance(8) {
            self.cover("ln: one operand");
        } else if !exactly && self.chance(12) {
            self.cover("ln: several operands");
            for _ in 0..=self.random.below(2) {
                self.path();
            }
            self.blank();
            let last = *self.random.pick(&["d", "e", "/mnt/d/", ".", "models", "missing", "a"]);
            self.word(last.as_bytes());
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
        self.push(&late);
    }

    /// An operand that is no option.
    fn path(&mut self) {
        self.path_but("-");
    }

    pub(super) fn path_but(&mut self, not: &str) {
        self.blank();
        let name = self.operand();
        let option = name.starts_with(b"-") && !self.dashes;
        self.word(if option || name == not.as_bytes() { b"d" } else { &name });
    }

    /// An operand, now and then one that the environment or the directory knows.
    fn operand_or_expansion(&mut self) {
        // What a pattern finds could look like an option.
        if self.direct || self.names.iter().any(|name| name.starts_with('-')) || !self.chance(12) {
            return self.path();
        }
        self.blank();
        match self.random.below(3) {
            0 => {
                self.cover("operand: parameter");
                self.push_one(&[
                    "\"$N\"",
                    "$N",
                    "${N}/a",
                    "d/$N",
                    "\"${UNSET:-d}\"",
                    "\"$V\"",
                    "\"$BLANK\"",
                    "/mnt/${N}",
                ]);
            }
            _ => {
                self.cover("operand: pattern");
                self.push_one(&[
                    "*",
                    "d/*",
                    "./*",
                    "/mnt/*",
                    "[ab]",
                    "m*",
                    "?",
                    "/models/*",
                    "d*",
                    "no*thing",
                    "[!d]*",
                ]);
            }
        }
    }

    fn mkdir(&mut self, exec: bool) {
        self.cover("mkdir");
        self.name("mkdir", exec);
        let letters = self.letters(&[('p', "mkdir -p", 50)]);
        let late = if self.chance(25) {
            self.cover("mkdir -m");
            let mode = match self.random.below(3) {
                // With s and t GNU takes other bits too: a listed difference.
                0 if self.without_busybox(100) => self.symbolic().replace(['s', 't'], "x"),
                _ => self.random.pick(&["700", "0755", "777", "1777", "0", "55"]).to_string(),
            };
            let letters: String = letters.into_iter().collect();
            let apart = self.chance(60);
            self.push(&format!(" -{letters}m{}", if apart { " " } else { "" }));
            self.word(mode.as_bytes());
            self.options(&[])
        } else {
            self.options(&letters)
        };
        self.path_but(".");
        while self.chance(20) {
            self.cover("mkdir: several operands");
            self.path_but(".");
        }
        self.push(&late);
    }

    fn ls(&mut self, exec: bool) {
        self.name("ls", exec);
        let recursive = self.chance(8);
        if recursive {
            self.cover("ls -R");
        }
        self.ls_words(recursive.then_some('R'));
    }

    pub(super) fn ls_words(&mut self, more: Option<char>) {
        self.cover("ls");
        let mut letters =
            self.letters(&[('1', "ls -1", 20), ('A', "ls -A", 35), ('a', "ls -a", 12), ('r', "ls -r", 10)]);
        letters.extend(more);
        if self.without_busybox(25) {
            // BusyBox has other columns, and of a dangling link it knows nothing.
            letters.extend(self.letters(&[
                ('d', "ls -d", 40),
                ('l', "ls -l", 70),
                ('h', "ls -h", 30),
                ('n', "ls -n", 25),
            ]));
        }
        if self.without_busybox(15) {
            self.cover("ls -F");
            letters.push('F');
        }
        let late = self.options(&letters);
        if self.chance(80) {
            self.operand_or_expansion();
            while self.chance(12) {
                self.cover("ls: several operands");
                self.operand_or_expansion();
            }
        }
        self.push(&late);
    }

    fn chmod(&mut self, exec: bool) {
        self.name("chmod", exec);
        let recursive = self.without_busybox(40);
        if recursive {
            self.all_owned = true; // a listed difference
        }
        let late = self.options(if recursive { &['R'] } else { &[] });
        self.blank();
        match self.random.below(4) {
            0 if self.without_busybox(100) => {
                self.cover(if recursive { "chmod -R a=rX" } else { "chmod a=rX" });
                self.word(b"a=rX");
            }
            1 | 2 if self.without_busybox(100) => {
                self.cover(if recursive { "chmod -R WORDS" } else { "chmod WORDS" });
                let mode = self.symbolic();
                self.word(mode.as_bytes());
            }
            _ => {
                self.cover(if recursive { "chmod -R N" } else { "chmod N" });
                let special = self.without_busybox(15);
                let mode = if special {
                    *self.random.pick(&["4755", "2750", "6711", "04755", "2775"])
                } else {
                    *self.random.pick(&["755", "0755", "644", "700", "777", "0", "444", "1777", "00755", "500", "711"])
                };
                self.skip_busybox |= matches!(mode, "644" | "0" | "444"); // a listed difference
                self.push(mode);
            }
        }
        self.operand_or_expansion();
        while self.chance(15) {
            self.cover("chmod: several operands");
            self.operand_or_expansion();
        }
        self.push(&late);
    }

    /// A mode in words, out of the whole of POSIX's grammar.
    fn symbolic(&mut self) -> String {
        if self.chance(35) {
            let known = [
                "a+rX",
                "g=u",
                "u=rwX,go=rX",
                "+x",
                "ugo+rX",
                "g+rwX",
                "a-w",
                "u+s",
                "+t",
                "go-rwx",
                "o=g",
                "=",
                "g+s",
            ];
            return self.random.pick(&known).to_string();
        }
        let mut text = String::new();
        for clause in 0..1 + self.random.below(3) {
            if clause > 0 {
                text.push(',');
            }
            for _ in 0..self.random.below(3) {
                text.push(*self.random.pick(&['u', 'g', 'o', 'a']));
            }
            for _ in 0..1 + self.random.below(2) {
                text.push(*self.random.pick(&['+', '-', '=']));
                if self.chance(20) {
                    text.push(*self.random.pick(&['u', 'g', 'o']));
                } else {
                    for _ in 0..self.random.below(4) {
                        text.push(*self.random.pick(&['r', 'w', 'x', 'X', 's', 't']));
                    }
                }
            }
        }
        // GNU takes what has no permission at all, such as `--`, for an option.
        if text.starts_with('-') && !text[1..].starts_with(['r', 'w', 'x', 'X', 's', 't']) {
            "a=rX,u+w".into()
        } else {
            text
        }
    }

    fn cp(&mut self, exec: bool) {
        self.cover("cp");
        self.name("cp", exec);
        let mut letters = match self.random.below(8) {
            0 => vec![],
            1 | 2 => vec!['r'],
            3 => vec!['R'],
            4 | 5 => vec!['a'],
            6 => vec!['r', 'p'],
            _ => vec!['p'],
        };
        letters.extend(self.letters(&[('f', "cp -f", 10), ('d', "cp -d", 8), ('P', "cp -P", 8)]));
        if self.tame_names && self.without_busybox(12) {
            self.cover("cp -v");
            letters.push('v');
        }
        let exactly = self.without_busybox(12);
        letters.extend(exactly.then_some('T'));
        letters.sort_unstable();
        letters.dedup();
        for letter in &letters {
            match letter {
                'r' => self.cover("cp -r"),
                'R' => self.cover("cp -R"),
                'a' => self.cover("cp -a"),
                'p' => self.cover("cp -p"),
                'T' => self.cover("cp -T"),
                _ => {}
            }
        }
        let late = self.options(&letters);
        let told = letters.contains(&'v'); // GNU tells a path as it was given
        loop {
            if told {
                self.path_but(".");
            } else if self.chance(25) {
                self.cover("cp SOURCE/.");
                self.blank();
                let source = *self.random.pick(&["/models/.", "d/.", "e/.", "/mnt/d/.", "models/."]);
                self.word(source.as_bytes());
            } else if self.chance(25) {
                self.push_one(&[" /models", " /models/model.bin", " /models/", " /models/*"]);
                if self.out.ends_with(b"*") && self.direct {
                    self.out.pop();
                }
            } else if exactly {
                self.path();
            } else {
                self.operand_or_expansion();
            }
            if exactly || !self.chance(15) {
                break;
            }
            self.cover("cp: several operands");
        }
        self.blank();
        let to = match self.random.below(4) {
            0 => self.random.pick(&["new", "d/new", "/mnt/new", "new/", "missing/new"]).as_bytes().to_vec(),
            1 => self.random.pick(&["d", "e", ".", "models", "/mnt/models", "/mnt/d/"]).as_bytes().to_vec(),
            _ => self.operand(),
        };
        let other = told && (to.is_empty() || to.ends_with(b"/"));
        self.word(if other || to.starts_with(b"-") { b"d" } else { &to });
        self.push(&late);
    }

    /// Into a place of its own, where the archives are read when the script has ended.
    fn tar(&mut self, exec: bool) {
        self.archives = true;
        self.cover("tar");
        self.name("tar", exec);
        self.push_one(&[" cf -", " -cf -", " -c -f -", " cf '-'"]);
        self.dashes = false;
        if self.chance(30) {
            self.cover("tar -C");
            self.push_one(&[" -C d", " -C /models", " -C /mnt", " -C e", " -C a"]);
        } else if self.chance(10) {
            self.push(" --");
            self.dashes = true;
        }
        loop {
            if self.chance(50) {
                self.operand_or_expansion();
            } else {
                self.push_one(&[" /models", " d", " .", " models", " /mnt/d", " /models/model.bin", " d/"]);
            }
            if !self.chance(25) {
                break;
            }
            self.cover("tar: several operands");
        }
        if !self.direct {
            self.unique += 1;
            let name = format!(" >/out/archive{}", self.unique);
            self.push(&name);
        }
    }

    fn tail(&mut self, exec: bool) {
        if self.looping || !self.chance(25) {
            return self.echo(exec);
        }
        self.cover("tail -f");
        self.infinite = true;
        self.slept = true;
        self.name("tail", exec);
        self.push_one(&[" -f /dev/null", " -f -- /dev/null", " /dev/null -f"]);
    }

    fn sleep(&mut self, exec: bool) {
        self.slept = true;
        let kind = self.random.below(300);
        let infinite = kind < 25 && !self.looping;
        self.name("sleep", exec);
        // BusyBox knows no `--` here, and `infinity` only alone.
        if self.without_busybox(5) {
            self.push(" --");
        }
        self.blank();
        if infinite {
            self.cover("sleep infinity");
            self.infinite = true;
            let several = self.without_busybox(30);
            self.push_one(if several {
                &["1 infinity", "infinity 5", "0.5 inf"]
            } else {
                &["infinity", "inf", "365d", "99999h", "0.5 100d"]
            });
        } else if kind > 295 && !self.looping {
            self.cover("sleep 1");
            self.push_one(&["1", "1s", "0.9", ".5 .5"]);
        } else {
            self.cover("sleep 0");
            self.push_one(&["0", "00", "'0'", "0s", "0.0", "0m", "0h 0", "0d", ".01", "0.001s", "0 0 0", "00.0001m"]);
        }
    }

    /// Those that have no listed difference.
    fn tool(&mut self, exec: bool) {
        let name = *self.random.pick(&["cat", "rm", "rm", "touch", "readlink"]);
        if !exec && !self.direct && self.chance(10) {
            self.cover("simple: redirection in front");
            self.push_one(&[">/dev/null ", "</dev/null ", ">&2 "]);
        }
        self.cover(name);
        self.name(name, exec);
        let mut letters = Vec::new();
        if name == "rm" {
            letters.extend(*self.random.pick(&[&['f'][..], &['r', 'f'], &['r'], &['R'], &[]]));
        } else if name == "readlink" && self.chance(25) {
            self.cover("readlink -n");
            letters.push('n');
        }
        let late = self.options(&letters);
        if name == "cat" && self.chance(15) {
            self.cover("cat of standard input");
            self.push_one(&["", " -", " /models/model.bin -"]);
            if !self.direct && self.chance(60) {
                self.push_one(&[" <models", " </dev/null", " < d/a", " </models/model.bin"]);
                self.skip_busybox = true; // one that fails is a listed difference
            }
            return self.push(&late);
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
            if name == "rm" && !self.direct && self.chance(6) && !self.names.iter().any(|name| name.starts_with('-')) {
                self.cover("operand: pattern");
                self.push_one(&["d/*", "*", "e/*", "[ab]", "m*"]);
                continue;
            }
            let option = path.starts_with(b"-") && !self.dashes;
            self.word(if option || path == b"." { b"d" } else { &path });
        }
        self.push(&late);
    }
}
