/* The job in its smallest form, in C: link the model, wait, stop on SIGTERM also as PID 1. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void stop(int signal)
{
    (void)signal;
    _exit(0);
}

int main(void)
{
    char target[40];
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    snprintf(target, sizeof target, "/proc/%d/root/models", (int)getpid());
    if (symlink(target, "/mnt/models"))
        ; /* as in the assembly, no error is looked at */
    for (;;)
        pause();
}
