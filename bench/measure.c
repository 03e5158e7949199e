/*
 * Measures programs that make the link /mnt/models and wait. Run as root in a mount namespace with a /mnt of its own.
 *
 *   measure times N LINKS PROGRAM ARGS... [-- LINKS PROGRAM ARGS...]...
 *       N interleaved runs. For each run of program I one line: I, ns from exec to link (-1 if LINKS is 0), ns from
 *       SIGTERM (or from exec, if it ends by itself) to reaped.
 *   measure limit GROUP PROGRAM ARGS...
 *       the smallest limit of memory control group GROUP, in KiB, in which it still waits after 100 ms, 3 times of 3;
 *       -1 if it does not with 64 MiB.
 *   measure crowd GROUP N PROGRAM ARGS...
 *       bytes charged to the group by N of them at once.
 *
 * LINKS: 1 the link is waited for, 0 it makes none and is given 20 ms to settle, 2 it ends by itself.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LINK "/mnt/models"
extern char **environ;
static FILE *out;
static volatile long started; /* ns, set by the child just before exec: vfork shares memory */

static void die(const char *what) { perror(what); exit(1); }

static long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* The observer keeps to the first processor and the programs to the others: else they would wait for it to give way. */
static void keep_to(int observer)
{
    cpu_set_t set;
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    CPU_ZERO(&set);
    for (int i = 0; i < count && i < CPU_SETSIZE; i++)
        if (count == 1 || (i == 0) == observer)
            CPU_SET(i, &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* Starts it in a process group of its own; in the control group that `procs` belongs to, if that is open. */
static pid_t start(char **argv, int procs)
{
    pid_t pid = vfork();
    if (pid == 0) {
        setpgid(0, 0);
        if (procs >= 0 && write(procs, "0", 1) != 1)
            _exit(126);
        keep_to(0);
        started = now();
        execve(argv[0], argv, environ);
        _exit(127);
    }
    if (pid < 0)
        die("vfork");
    return pid;
}

static int link_there(void)
{
    char target[64];
    return readlink(LINK, target, sizeof target) > 0;
}

/* Ends it and whatever it has left. */
static void finish(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    FILE *children = fopen(path, "r");
    for (int child; children && fscanf(children, "%d", &child) == 1;) /* a shell's sleep may have a group of its own */
        kill(child, SIGKILL);
    if (children)
        fclose(children);
    kill(-pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static void times(int argc, char **argv)
{
    int runs = atoi(argv[0]), count = 0, links[32];
    char **program[32];
    keep_to(1);
    for (int i = 1; i < argc; i++) {
        links[count] = atoi(argv[i++]);
        program[count++] = argv + i;
        while (i < argc && strcmp(argv[i], "--"))
            i++;
        argv[i < argc ? i : argc] = NULL;
    }
    for (int run = 0; run < runs; run++)
        for (int k = 0; k < count; k++) {
            int i = (k + run) % count;
            unlink(LINK);
            pid_t pid = start(program[i], -1);
            long linked = -1, end;
            if (links[i] == 1) {
                do {
                    end = now();
                    if (end - started > 2000000000L) {
                        fprintf(stderr, "%s makes no link\n", program[i][0]);
                        exit(1);
                    }
                } while (!link_there());
                linked = now() - started;
            }
            long from = started;
            if (links[i] != 2) {
                pause_ms(links[i] == 1 ? 2 : 20);
                from = now();
                kill(pid, SIGTERM);
            }
            while (waitpid(pid, NULL, WNOHANG) == 0)
                if (now() - from > 5000000000L)
                    break;
            end = now();
            kill(-pid, SIGKILL);
            fprintf(out, "%d %ld %ld\n", i, linked, end - from);
        }
}

static int group_file(const char *group, const char *name, int flags)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", group, name);
    return open(path, flags | O_CLOEXEC);
}

/* The names of control groups version 1 and 2. */
static int set_limit(const char *group, long kib)
{
    char text[32];
    int fd = group_file(group, "memory.limit_in_bytes", O_WRONLY);
    if (fd < 0)
        fd = group_file(group, "memory.max", O_WRONLY);
    if (fd < 0)
        die("memory limit");
    int length = snprintf(text, sizeof text, "%ld", kib * 1024), written = write(fd, text, length);
    close(fd);
    return written == length;
}

static int works(const char *group, long kib, char **argv)
{
    for (int try = 0; try < 3; try++) {
        if (mkdir(group, 0755) && errno != EEXIST)
            die(group);
        int there = -1, procs = group_file(group, "cgroup.procs", O_WRONLY);
        unlink(LINK);
        if (set_limit(group, kib)) {
            pid_t pid = start(argv, procs);
            pause_ms(100);
            there = waitpid(pid, NULL, WNOHANG) == 0 && link_there();
            if (there)
                finish(pid);
            else
                kill(-pid, SIGKILL), kill(pid, SIGKILL), waitpid(pid, NULL, 0);
        }
        close(procs);
        for (int i = 0; rmdir(group) && i < 200; i++)
            pause_ms(5);
        if (there != 1)
            return 0;
    }
    return 1;
}

static void limit(char **argv)
{
    long low = 0, high = 64 << 10; /* fails at low, works at high */
    if (!works(argv[0], high, argv + 1)) {
        fputs("-1\n", out);
        return;
    }
    while (high - low > 4) {
        long middle = (low + high) / 2 / 4 * 4;
        if (works(argv[0], middle, argv + 1))
            high = middle;
        else
            low = middle;
    }
    fprintf(out, "%ld\n", high);
}

static void crowd(char **argv)
{
    int count = atoi(argv[1]), procs;
    long bytes = -1;
    char text[32] = "";
    if (mkdir(argv[0], 0755) && errno != EEXIST)
        die(argv[0]);
    procs = group_file(argv[0], "cgroup.procs", O_WRONLY);
    pid_t *pids = calloc(count, sizeof *pids);
    for (int i = 0; i < count; i++)
        pids[i] = start(argv + 2, procs);
    pause_ms(1500);
    for (int i = 0; i < count; i++) /* they share one link: some shells' ln cannot make it while another's does */
        if (waitpid(pids[i], NULL, WNOHANG) != 0) {
            pids[i] = start(argv + 2, procs);
            pause_ms(10);
        }
    pause_ms(500);
    int fd = group_file(argv[0], "memory.usage_in_bytes", O_RDONLY);
    if (fd < 0)
        fd = group_file(argv[0], "memory.current", O_RDONLY);
    if (fd >= 0 && read(fd, text, sizeof text - 1) > 0)
        bytes = atol(text);
    for (int i = 0; i < count; i++)
        if (waitpid(pids[i], NULL, WNOHANG) != 0)
            bytes = -1; /* not all of them were there */
    for (int i = 0; i < count; i++)
        finish(pids[i]);
    close(procs);
    for (int i = 0; rmdir(argv[0]) && i < 200; i++)
        pause_ms(5);
    fprintf(out, "%ld\n", bytes);
}

int main(int argc, char **argv)
{
    int null = open("/dev/null", O_RDWR);
    out = fdopen(fcntl(1, F_DUPFD_CLOEXEC, 3), "w");
    if (!out)
        die("stdout");
    for (int fd = 0; fd < 3; fd++) /* what the programs say is no part of this; our failures show in the exit code */
        dup2(null, fd);
    if (argc > 3 && !strcmp(argv[1], "times"))
        times(argc - 2, argv + 2);
    else if (argc > 3 && !strcmp(argv[1], "limit"))
        limit(argv + 2);
    else if (argc > 4 && !strcmp(argv[1], "crowd"))
        crowd(argv + 2);
    else
        return 2;
    return fclose(out) != 0;
}
