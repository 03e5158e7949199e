#!/usr/bin/perl
# The first process of a machine that run.sh boots: runs the shipped file on that kernel and says what it saw.
#
# Arguments: the architecture, the page size that the kernel must have.
# On the console: `INFO name: value`, `PASS name`, `FAIL name: got, wanted`, and `READY` before the last test, in
# which this process becomes the program. Its exit ends the machine, and run.sh reads the exit code off the panic.
use strict;
use warnings;

my ($arch, $pages) = @ARGV;
my $patience = 20;    # seconds; emulated machines are slow

# Calls that Perl has no function for, and those that the program may make: arch/x86/entry/syscalls/syscall_64.tbl,
# include/uapi/asm-generic/unistd.h, and syscall.tbl in arch/powerpc/kernel/syscalls and arch/s390/kernel/syscalls.
# Machines that came later have the numbers that arm64 has.
my @columns = qw(amd64 generic ppc64le s390x);
my %calls   = (
    mount       => [165, 40,  21,  21],
    umount2     => [166, 39,  52,  52],
    pivot_root  => [155, 41,  203, 217],
    unshare     => [272, 97,  282, 303],
    setns       => [308, 268, 350, 339],
    setgroups   => [116, 159, 81,  206],
    setresgid   => [119, 149, 169, 210],
    setresuid   => [117, 147, 164, 208],
    capset      => [126, 91,  184, 185],
    prctl       => [157, 167, 171, 172],
    reboot      => [169, 142, 88,  88],
    execve      => [59,  221, 11,  11],
    rt_sigaction   => [13,  134, 173, 174],
    rt_sigprocmask => [14,  135, 174, 175],
    getpid      => [39,  172, 20,  20],
    symlinkat   => [266, 36,  295, 297],
    renameat2   => [316, 276, 357, 347],
    unlinkat    => [263, 35,  292, 294],
    mkdirat     => [258, 34,  287, 289],
    fchmodat    => [268, 53,  297, 299],
    statx       => [332, 291, 383, 379],
    openat      => [257, 56,  286, 288],
    getdents64  => [217, 61,  202, 220],
    close       => [3,   57,  6,   6],
    write       => [1,   64,  4,   4],
    writev      => [20,  66,  146, 146],
    mmap        => [9,   222, 90,  90],
    madvise     => [28,  233, 205, 219],
    ppoll       => [271, 73,  281, 302],
    exit_group  => [231, 94,  234, 248],
);
my ($column) = grep { $columns[$_] eq $arch } 0 .. $#columns;
$column //= 1;
my %nr = map { $_ => $calls{$_}[$column] } keys %calls;

# What the program may do and nothing else; execve starts it.
my @allowed = qw(execve rt_sigaction rt_sigprocmask getpid symlinkat renameat2 unlinkat mkdirat fchmodat statx openat
  getdents64 close write writev mmap madvise unshare capset ppoll exit_group);

my $program = '/bin/link-model-and-wait';
my $link    = 'ln -sf /proc/$$/root/models /mnt/models && sleep infinity';                      # KServe's sidecar
my $check   = q{echo 'Pre-fetching modelcar image: ' && [ -d /models ] && [ "$(ls -A /models)" ] && }
  . q{echo 'OK ... Prefetched and valid (/models exists)' || (echo 'NOK ... Prefetched but modelcar is invalid }
  . q{(/models does not exist or is empty)' && exit 1)};                                        # KServe's init

$| = 1;

sub say_line { print "$_[0]\n" }

sub check {
    my ($name, $got, $wanted) = @_;
    return say_line("PASS $name") if $got eq $wanted;
    s/\n/\\n/g for $got, $wanted;
    say_line("FAIL $name: got '$got', wanted '$wanted'");
}

sub call {
    my ($name, @arguments) = @_;
    my $result = syscall($nr{$name}, @arguments);
    die "$name: $!\n" if $result == -1;
    return $result;
}

sub mount_at {
    my ($what, $where, $type, $flags) = @_;
    call('mount', $what, $where, $type, $flags, 0);
}

sub slurp {
    my ($path) = @_;
    open(my $file, '<', $path) or return "$!";
    local $/;
    return scalar <$file> // '';
}

sub spew {
    my ($path, $content) = @_;
    open(my $file, '>', $path) or die "$path: $!\n";
    # In one call, which some files of the kernel want.
    (syswrite($file, $content) // -1) == length $content or die "$path: $!\n";
    close $file or die "$path: $!\n";
}

# Waits until the code returns something true; returns that, or false when patience ends.
sub eventually {
    my ($code) = @_;
    for (1 .. $patience * 100) {
        my $result = $code->();
        return $result if $result;
        select undef, undef, undef, 0.01;
    }
    return '';
}

sub become {
    my ($uid, $gid) = @_;
    call('setgroups', 0, 0);
    call('setresgid', $gid, $gid, $gid);
    call('setresuid', $uid, $uid, $uid);
}

sub drop_capabilities { call('capset', pack('LL', 0x20080522, 0), pack('L6', (0) x 6)) }

# Makes a container's root the process's own, as runtimes do: after a mere chroot(2) it could make no user namespace.
sub enter {
    my ($root) = @_;
    call('unshare', 0x20000);                     # CLONE_NEWNS
    mount_at($root, $root, '', 4096 | 16384);     # MS_BIND, MS_REC
    chdir $root or die "$root: $!\n";
    call('pivot_root', '.', '.');
    call('umount2', '.', 2);                      # MNT_DETACH
    chdir '/' or die "/: $!\n";
}

# A user namespace as a pod with hostUsers: false has one around it, an open file: its users are the machine's from
# 65536 on.
sub user_namespace {
    pipe(my $read, my $write) or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        call('unshare', 0x10000000);              # CLONE_NEWUSER
        syswrite $write, 'x';
        sleep 1000;
        exit;
    }
    sysread $read, my $byte, 1;
    spew("/proc/$pid/$_", "0 65536 65536\n") for qw(uid_map gid_map);
    open(my $users, '<', "/proc/$pid/ns/user") or die "ns/user: $!\n";
    kill 'KILL', $pid;
    waitpid $pid, 0;
    return $users;
}

# Starts argv in the container root /car. Options: file, uid, gid, users (a user namespace around it), profile (of
# AppArmor), and `before`, code to run just before execve.
sub start {
    my ($argv, %option) = @_;
    pipe(my $out_read, my $out_write) or die "pipe: $!\n";
    pipe(my $err_read, my $err_write) or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        enter('/car');
        call('setns', fileno $option{users}, 0x10000000) if $option{users};
        become($option{uid} // 0, $option{gid} // 0);
        spew('/proc/self/attr/exec', "exec $option{profile}") if $option{profile};
        open STDOUT, '>&', $out_write or die "stdout: $!\n";
        open STDERR, '>&', $err_write or die "stderr: $!\n";
        $option{before}->() if $option{before};
        exec { $option{file} // $program } @$argv or exit 126;
    }
    return { pid => $pid, out => $out_read, err => $err_read };
}

# What can be read until `pattern` is in it, or the other end is closed, or patience ends.
sub read_until {
    my ($handle, $pattern) = @_;
    my $text = '';
    for (1 .. $patience) {
        vec(my $bits = '', fileno $handle, 1) = 1;
        next if !select $bits, undef, undef, 1;
        sysread($handle, $text, 65536, length $text) or last;
        last if $text =~ $pattern;
    }
    return $text;
}

# How the process ended; it is killed when patience ends.
sub wait_for {
    my ($process) = @_;
    my $ended = eventually(sub { waitpid($process->{pid}, 1) == $process->{pid} });
    my $status = $?;
    if (!$ended) {
        kill 'KILL', $process->{pid};
        waitpid $process->{pid}, 0;
        return 'still running';
    }
    return $status & 127 ? 'signal ' . ($status & 127) : 'exit ' . ($status >> 8);
}

sub stop {
    my ($process, $signal) = @_;
    kill $signal, $process->{pid};
    return wait_for($process);
}

# Runs argv to its end: "exit N", its stdout and its stderr.
sub run {
    my ($argv, %option) = @_;
    my $process = start($argv, %option);
    my $out = read_until($process->{out}, qr/(?!)/);
    my $err = read_until($process->{err}, qr/(?!)/);
    return (wait_for($process), $out, $err);
}

# What a process of that user, with no capability, in the container root /server, reads from path. Options: users,
# profile.
sub read_as {
    my ($uid, $gid, $path, %option) = @_;
    pipe(my $read, my $write) or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        enter('/server');
        call('setns', fileno $option{users}, 0x10000000) if $option{users};
        become($uid, $gid);
        drop_capabilities();
        spew('/proc/self/attr/current', "changeprofile $option{profile}") if $option{profile};
        syswrite $write, slurp($path);
        exit 0;
    }
    close $write;
    my $text = read_until($read, qr/(?!)/);
    waitpid $pid, 0;
    return $text;
}

sub status_line {
    my ($pid, $key) = @_;
    return slurp("/proc/$pid/status") =~ /^$key:\s*(.*)$/m ? $1 : '';
}

# AT_PAGESZ, as the kernel tells it to the process.
sub page_size {
    my ($pid) = @_;
    my %vector = unpack 'Q*', slurp("/proc/$pid/auxv");
    return $vector{6} // 'none';
}

# Has the kernel answer EPERM to a call.
sub refuse {
    my ($name) = @_;
    my $filter = pack 'SCCL' x 4, 0x20, 0, 0, 0, 0x15, 0, 1, $nr{$name}, 0x06, 0, 0, 0x00050001, 0x06, 0, 0, 0x7fff0000;
    call('prctl', 38, 1, 0, 0, 0);                                                      # PR_SET_NO_NEW_PRIVS
    call('prctl', 22, 2, pack('S x6 P', 4, $filter), 0, 0);                             # PR_SET_SECCOMP
}

# Kills the process for any call that is not allowed.
sub seccomp {
    my @numbers = map { $nr{$_} } @_;
    my $filter  = pack 'SCCL', 0x20, 0, 0, 0;                                           # load the number
    $filter .= pack 'SCCL', 0x15, @numbers - $_, 0, $numbers[$_] for 0 .. $#numbers;    # equal: to the last line
    $filter .= pack 'SCCL', 0x06, 0, 0, 0x80000000;                                     # SECCOMP_RET_KILL_PROCESS
    $filter .= pack 'SCCL', 0x06, 0, 0, 0x7fff0000;                                     # SECCOMP_RET_ALLOW
    call('prctl', 38, 1, 0, 0, 0);                                                      # PR_SET_NO_NEW_PRIVS
    call('prctl', 22, 2, pack('S x6 P', @numbers + 3, $filter), 0, 0);                  # PR_SET_SECCOMP
}

sub set_up {
    # The kernel's first file system cannot be exchanged for another by pivot_root(2): the same, mounted once more.
    mkdir '/again';
    mount_at('/', '/again', '', 4096);            # MS_BIND
    chdir '/again' or die "/again: $!\n";
    mount_at('.', '/', '', 8192);                 # MS_MOVE
    chroot('.') && chdir('/') or die "chroot: $!\n";
    mkdir $_ for qw(/proc /volume /car/proc /car/mnt /car/models /server /server/proc /server/mnt);
    mount_at('proc', $_, 'proc', 0) for qw(/proc /car/proc /server/proc);
    mount_at('tmpfs', '/volume', 'tmpfs', 0);
    chmod 0777, '/volume';
    mount_at('/volume', $_, '', 4096) for qw(/car/mnt /server/mnt);    # MS_BIND: the volume that both containers see
    spew('/car/models/model.bin', 'the model');
    unlink '/volume/models';
}

sub tests {
    my $kernel = slurp('/proc/sys/kernel/osrelease');
    chomp $kernel;
    say_line("\nINFO kernel: $kernel");    # on some consoles the firmware has left a line unfinished
    check('the kernel has the pages that were asked for', page_size('self'), $pages);

    # As KServe runs it: the user's own uid, group 0, a server of the same uid and gid beside it.
    my $car  = start(['link-model-and-wait', 'sh', '-c', $link], uid => 1010);
    my $line = read_until($car->{err}, qr/\n/);
    my $root = "/proc/$car->{pid}/root/models";
    check('uid 1010: one line says what was linked', $line, "link-model-and-wait: /mnt/models -> $root\n");
    check('uid 1010: the link is there', readlink('/volume/models') // "$!", $root);
    check('uid 1010: nothing else is in the volume', join(' ', map { s{.*/}{}r } glob '/volume/* /volume/.[!.]*'), 'models');
    check('uid 1010: a server of the same uid and gid reads the model', read_as(1010, 0, '/mnt/models/model.bin'), 'the model');
    check('uid 1010: another uid does not', read_as(1011, 0, '/mnt/models/model.bin'), 'Permission denied');
    eventually(sub { status_line($car->{pid}, 'State') =~ /^S/ });
    check('the process waits', status_line($car->{pid}, 'State'), 'S (sleeping)');
    check('AT_PAGESZ of the process', page_size($car->{pid}), $pages);
    check('SIGTERM and SIGINT are caught', status_line($car->{pid}, 'SigCgt'), sprintf('%016x', 1 << 14 | 1 << 1));
    check('SIGCHLD is ignored', hex(status_line($car->{pid}, 'SigIgn')) & 1 << 16 ? 'yes' : 'no', 'yes');
    check('no signal but SIGPIPE is blocked', status_line($car->{pid}, 'SigBlk'), sprintf('%016x', 1 << 12));
    my @maps = map { (split)[1] } split /\n/, slurp("/proc/$car->{pid}/maps");
    check('nothing is writable and executable', join(' ', grep { /wx/ } @maps), '');
    my $stack = slurp("/proc/$car->{pid}/maps") =~ /^\S+ (\S+) .*\[stack\]/m ? $1 : '';
    check('the stack is not executable', $stack, 'rw-p');
    my $resident = slurp("/proc/$car->{pid}/smaps_rollup") =~ /^Rss:\s+(.*)$/m ? $1 : 'unknown';
    say_line("INFO memory: $resident resident, page tables " . status_line($car->{pid}, 'VmPTE'));
    check('SIGTERM: exit code 0', stop($car, 'TERM'), 'exit 0');

    # A restart: the link of the process that is gone is replaced.
    $car  = start(['sh', '-c', $link], uid => 1010, file => '/bin/sh');
    $line = read_until($car->{err}, qr/\n/);
    check('started as sh: a stale link is replaced', readlink('/volume/models') // "$!", "/proc/$car->{pid}/root/models");
    check('started as sh: SIGINT: exit code 0', stop($car, 'INT'), 'exit 0');

    # Root with all capabilities, as the container runtime may start it; the server has none.
    $car  = start(['link-model-and-wait'], uid => 0);
    $line = read_until($car->{err}, qr/\n/);
    check('no arguments: the link is there', readlink('/volume/models') // "$!", "/proc/$car->{pid}/root/models");
    my $none = '0' x 16;
    eventually(sub { status_line($car->{pid}, 'CapPrm') eq $none });
    check("root: capabilities are dropped: $_", status_line($car->{pid}, $_), $none) for qw(CapInh CapPrm CapEff CapAmb);
    check('root: a server of root without capabilities reads the model', read_as(0, 0, '/mnt/models/model.bin'), 'the model');
    check('root: SIGTERM: exit code 0', stop($car, 'TERM'), 'exit 0');
    my $keeper = fork // die "fork: $!\n";
    if (!$keeper) { chroot '/car'; sleep 1000; exit }
    check('root: a process that keeps its capabilities is closed', read_as(0, 0, "/proc/$keeper/root/models/model.bin"),
        'Permission denied');
    kill 'KILL', $keeper;
    waitpid $keeper, 0;

    # Commands that end.
    my $lines = "Pre-fetching modelcar image: \n";
    my ($end, $out, $err) = run(['link-model-and-wait', 'sh', '-c', $check]);
    check('init: valid', "$end $out$err", "exit 0 ${lines}OK ... Prefetched and valid (/models exists)\n");
    rename '/car/models', '/car/elsewhere';
    ($end, $out, $err) = run(['link-model-and-wait', 'sh', '-c', $check]);
    check('init: invalid', "$end $out$err",
        "exit 1 ${lines}NOK ... Prefetched but modelcar is invalid (/models does not exist or is empty)\n");
    rename '/car/elsewhere', '/car/models';
    ($end, $out, $err) = run(['sh', '-c', 'mkdir -p /mnt/a/b && chmod 0750 /mnt/a/b && ls -A /mnt/a'], file => '/bin/sh');
    check('mkdir -p, chmod and ls', sprintf('%s %s%o', $end, $out . $err, (stat '/volume/a/b')[2] // 0), "exit 0 b\n40750");
    my $long = 'x' x 100_000;
    ($end, $out, $err) = run(['link-model-and-wait', 'sh', '-c', "echo $long"]);
    check('a script of 100 KB', $end . ' ' . ($out eq "$long\n" ? 'whole' : length($out) . " bytes $err"), 'exit 0 whole');
    my $sleeper = start(['/bin/sleep', 'infinity'], uid => 1001, file => '/bin/sleep');
    eventually(sub { hex(status_line($sleeper->{pid}, 'SigCgt')) & 1 << 14 && status_line($sleeper->{pid}, 'State') =~ /^S/ });
    check('started as sleep: SIGTERM: exit code 0', stop($sleeper, 'TERM'), 'exit 0');

    # Signals that came in blocked and ignored.
    my $deaf = sub {
        $SIG{TERM} = 'IGNORE';
        call('rt_sigprocmask', 0, pack('Q', 1 << 14), 0, 8);    # SIG_BLOCK
    };
    $car = start(['link-model-and-wait', 'sh', '-c', $link], before => $deaf);
    read_until($car->{err}, qr/\n/);
    check('SIGTERM came in blocked and ignored: exit code 0', stop($car, 'TERM'), 'exit 0');

    # A filter that kills for any call but the program's own.
    $car  = start(['link-model-and-wait', 'sh', '-c', $link], uid => 1010, before => sub { seccomp(@allowed) });
    $line = read_until($car->{err}, qr/\n/);
    check('seccomp filter: the link is there', $line, "link-model-and-wait: /mnt/models -> /proc/$car->{pid}/root/models\n");
    check('seccomp filter: it waits', !!eventually(sub { slurp("/proc/$car->{pid}/syscall") =~ /^$nr{ppoll} / }), 1);
    check('seccomp filter: it is in force', status_line($car->{pid}, 'Seccomp'), '2');
    check('seccomp filter: SIGTERM: exit code 0', stop($car, 'TERM'), 'exit 0');
    $car = start(['link-model-and-wait', 'sh', '-c', $link], before => sub { seccomp(grep { $_ ne 'ppoll' } @allowed) });
    check('seccomp filter without ppoll: the program is killed', wait_for($car), 'signal 31');
}

# Which of some users without capabilities read the model of a car of 1010:0, started with those options.
sub readers {
    my (%option) = @_;
    my $car = start(['link-model-and-wait', 'sh', '-c', $link], uid => 1010, %option);
    read_until($car->{err}, qr/\n/);
    eventually(sub { slurp("/proc/$car->{pid}/syscall") =~ /^$nr{ppoll} / }) or return 'it does not wait';
    my @can;
    for my $user (['1010:0', 1010, 0], ['1010:1010', 1010, 1010], ['1010:4242', 1010, 4242], ['1011:0', 1011, 0], ['0:0', 0, 0]) {
        my ($name, $uid, $gid) = @$user;
        my $read = read_as($uid, $gid, '/mnt/models/model.bin', %option);
        push @can, $name if $read eq 'the model';
        push @can, "$name: $read" if $read ne 'the model' && $read ne 'Permission denied';
    }
    my $end = stop($car, 'TERM');
    return $end eq 'exit 0' ? "@can" : $end;
}

# The same by a sysctl with another value for that time; nothing if the kernel has it not.
sub readers_with {
    my ($sysctl, $value, %option) = @_;
    return if !-e $sysctl;
    chomp(my $before = slurp($sysctl));
    spew($sysctl, "$value\n");
    my $can = readers(%option);
    spew($sysctl, "$before\n");
    return $can;
}

# docs/permissions.md on this kernel, with what it has to refuse a user namespace, and with AppArmor.
sub permissions {
    my ($all, $same, $users) = ('1010:0 1010:1010 1010:4242', '1010:0', user_namespace());
    my %off = (before => sub { $ENV{MODELCAR_USERNS} = 'off' });
    check('readers: any group of the same user', readers(), $all);
    check('readers: MODELCAR_USERNS=off: the same group', readers(%off), $same);
    check('readers: a user namespace around both: any group', readers(users => $users), $all);
    check('readers: the same with MODELCAR_USERNS=off: the same group', readers(users => $users, %off), $same);
    check('readers: seccomp refuses unshare: the same group', readers(before => sub { refuse('unshare') }), $same);
    check('readers: user.max_user_namespaces=0: the same group',
        readers_with('/proc/sys/user/max_user_namespaces', 0), $same);
    my $can = readers_with('/proc/sys/kernel/unprivileged_userns_clone', 0);    # a change of Debian's
    check('readers: kernel.unprivileged_userns_clone=0: the same group', $can, $same) if defined $can;
    $can = readers_with('/proc/sys/kernel/yama/ptrace_scope', 2);    # only who has CAP_SYS_PTRACE attaches
    check('readers: kernel.yama.ptrace_scope=2: any group', $can, $all) if defined $can;

    mkdir '/sys';
    mount_at('sysfs', '/sys', 'sysfs', 0);
    mount_at('securityfs', '/sys/kernel/security', 'securityfs', 0);
    my $modules = slurp('/sys/kernel/security/lsm');
    say_line("INFO security modules: $modules");
    return if $modules !~ /apparmor/;
    spew('/sys/kernel/security/apparmor/.replace', slurp('/profiles'));
    my %runtime = (profile => 'cri-containerd.apparmor.d');
    check("readers: a container runtime's profile of AppArmor: any group", readers(%runtime), $all);
    check('readers: the same with MODELCAR_USERNS=off: the same group', readers(%runtime, %off), $same);
    check('readers: a profile of AppArmor that lets none look at another: none', readers(profile => 'looks-at-none'), '');
    $can = readers_with('/proc/sys/kernel/apparmor_restrict_unprivileged_userns', 1);
    return if !defined $can;
    check('readers: kernel.apparmor_restrict_unprivileged_userns=1: the same group at least', $can =~ /^1010:0\b/ ? '' : $can, '');
    say_line("INFO readers then: $can");
    $can = readers_with('/proc/sys/kernel/apparmor_restrict_unprivileged_userns', 1, %runtime);
    check('readers: the same with the profile: the same group at least', $can =~ /^1010:0\b/ ? '' : $can, '');
    say_line("INFO readers then: $can");
}

# What people do with a model in an image, on this kernel's file systems: from the one in memory to a volume.
sub copies {
    my $source = '/car/models';
    mkdir "$source/parts";
    spew("$source/parts/big.bin", join '', map { pack 'N', $_ } 1 .. 250_000);    # a million bytes
    symlink '../model.bin', "$source/parts/link";
    chmod 0640, "$source/parts/big.bin";
    chmod 0750, "$source/parts";
    utime 1_700_000_000, 1_700_000_000, $_ for map { "$source/$_" } qw(model.bin parts/big.bin parts);

    # Type and bits, size and time of each file, and what links hold.
    my $look = sub {
        my ($root) = @_;
        my @lines;
        for my $path (qw(model.bin parts parts/big.bin parts/link)) {
            my @stat = lstat "$root/$path" or return "$path: $!";
            my $link = readlink "$root/$path";
            push @lines, defined $link ? "$path -> $link" : sprintf '%s %o %d %d', $path, @stat[2, 7, 9];
        }
        return join "\n", @lines;
    };
    my $wanted = "model.bin 100644 9 1700000000\nparts 40750 SIZE 1700000000\n"
      . "parts/big.bin 100640 1000000 1700000000\nparts/link -> ../model.bin";
    my ($end, $out, $err) = run(['cp', '-a', '/models/.', '/mnt/copy'], file => '/bin/sh');
    check('cp -a: the copy has the modes, times and links', "$end $out$err" . $look->('/volume/copy') =~ s/(parts 40750) \d+/$1 SIZE/r,
        "exit 0 $wanted");
    check('cp -a: the content', slurp('/volume/copy/parts/big.bin') eq slurp("$source/parts/big.bin") ? 'equal' : 'different', 'equal');
    check('cp -a: nothing else is in the volume', join(' ', map { s{.*/}{}r } grep { !/\.\.?$/ } glob '/volume/* /volume/.*'),
        'a copy models');

    # As a user to whom the files do not belong, in an init container.
    mkdir '/volume/shared' and chmod 0777, '/volume/shared';
    chmod 0755, "$source/parts";
    chmod 0644, "$source/parts/big.bin";
    ($end, $out, $err) = run(['sh', '-c', 'cp -r /models/* /mnt/shared && cp -p /models/model.bin /mnt/shared/m'], file => '/bin/sh', uid => 1010);
    check('uid 1010: cp -r and cp -p', "$end $out$err" . join(' ', map { (lstat "/volume/shared/$_")[4] // "$!" } qw(parts/big.bin m)),
        'exit 0 1010 1010');

    # On all of these machines, the same columns.
    ($end, $out, $err) = run(['ls', '-lR', '/mnt/copy'], file => '/bin/sh');
    my $listed = $out =~ s/^total \d+$/total N/mgr =~ s/^(d.* )\d+( \d{4}-)/$1SIZE$2/mgr =~ s/ +(SIZE|\d+) (\d{4}-)/ $1 $2/gr
      =~ s/^(l.*) \d{4}-\d\d-\d\d \d\d:\d\d /$1 TIME /mgr;
    check('ls -lR', "$end $listed$err", "exit 0 /mnt/copy:\ntotal N\n-rw-r--r-- 1 0 0 9 2023-11-14 22:13 model.bin\n"
          . "drwxr-x--- 2 0 0 SIZE 2023-11-14 22:13 parts\n\n/mnt/copy/parts:\ntotal N\n"
          . "-rw-r----- 1 0 0 1000000 2023-11-14 22:13 big.bin\nlrwxrwxrwx 1 0 0 12 TIME link -> ../model.bin\n");

    # The archive's headers: name, type, size, and whether the checksum holds.
    ($end, $out, $err) = run(['sh', '-c', 'tar cf - -C /mnt/copy parts'], file => '/bin/sh');
    my ($at, @members) = (0);
    while ($at + 512 <= length $out && substr($out, $at, 1) ne "\0") {
        my $header = substr $out, $at, 512;
        my ($name, $size, $sum, $type, $link) = unpack 'Z100 x24 Z12 x12 Z8 a1 Z100', $header;
        my $counted = unpack('%32C148', $header) + 8 * 32 + unpack '%32C*', substr $header, 156;
        push @members, "$type $name" . ($link ne '' ? " -> $link" : '') . ($counted == oct $sum ? '' : ' (checksum)');
        push @members, substr($out, $at + 512, oct $size) eq slurp("/volume/copy/$name") ? 'equal' : 'different' if oct $size;
        $at += 512 + (oct($size) + 511 & ~511);
    }
    check('tar cf -: members and content', "$end $err" . join(', ', sort @members),
        'exit 0 0 parts/big.bin, 2 parts/link -> ../model.bin, 5 parts/, equal');
    ($end, $out, $err) = run(['rm', '-rf', '/mnt/copy', '/mnt/shared'], file => '/bin/sh');
    check('rm -rf', "$end $out$err" . (-e '/volume/copy' || -e '/volume/shared' ? 'still there' : 'gone'), 'exit 0 gone');
}

# This process becomes the program; a child looks at it and stops it.
sub first_process {
    pipe(my $read, my $write) or die "pipe: $!\n";
    my $watcher = fork // die "fork: $!\n";
    if ($watcher) {
        enter('/car');
        open STDERR, '>&', $write or die "stderr: $!\n";
        exec { $program } 'link-model-and-wait', 'sh', '-c', $link or die "exec: $!\n";
    }
    close $write;
    my $line = read_until($read, qr/\n/);
    check('PID 1: one line says what was linked', $line, "link-model-and-wait: /mnt/models -> /proc/1/root/models\n");
    eventually(sub { status_line(1, 'CapPrm') eq '0' x 16 });
    check('PID 1: a server reads the model', read_as(0, 0, '/mnt/models/model.bin'), 'the model');

    # A process whose parent ends before it belongs to PID 1; the kernel must reap it there.
    pipe(my $orphan_read, my $orphan_write) or die "pipe: $!\n";
    my $parent = fork // die "fork: $!\n";
    if (!$parent) {
        my $orphan = fork // die "fork: $!\n";
        exit 0 if $orphan;
        eventually(sub { status_line('self', 'PPid') eq '1' });
        syswrite $orphan_write, slurp('/proc/self/stat') =~ /^(\d+)/ ? "$1\n" : "\n";
        exit 0;
    }
    waitpid $parent, 0;
    chomp(my $orphan = read_until($orphan_read, qr/\n/));
    check('PID 1: an orphan is reaped', eventually(sub { !-e "/proc/$orphan" }) ? 'reaped' : slurp("/proc/$orphan/stat"), 'reaped');
    say_line('READY');
    kill 'TERM', 1;
    sleep $patience;
    say_line('FAIL PID 1: SIGTERM: still running');
    power_off();
}

sub power_off { call('reboot', 0xfee1dead, 672274793, 0x4321fedc, 0) }

if (!eval { set_up(); tests(); copies(); permissions(); 1 }) {
    say_line("FAIL the tests did not come to their end: $@");
    power_off();
}
if (!eval { first_process(); 1 }) {
    say_line("FAIL the last test did not come to its end: $@");
    power_off();
}
