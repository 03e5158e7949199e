/*
 * The limit: x86_64 assembly that does only this: hold back SIGTERM and SIGINT, link, wait for one of them, exit.
 * No error is looked at. Its ELF headers are written here; `ld --oformat binary` copies them as they stand.
 */
        .intel_syntax noprefix
        .text
        .globl _start
base:   .byte 0x7f, 'E', 'L', 'F', 2, 1, 1, 0
        .quad 0
        .short 3, 62                    # ET_DYN, x86_64
        .long 1
        .quad _start - base, 64, 0      # entry, program headers, no section headers
        .long 0
        .short 64, 56, 2, 64, 0, 0
        .long 1, 5                      # PT_LOAD, readable and executable
        .quad 0, 0, 0, end - base, end - base, 4096
        .long 0x6474e551, 6             # PT_GNU_STACK, not executable
        .quad 0, 0, 0, 0, 0, 16

link:   .asciz "/mnt/models"
head:   .ascii "/proc/"                 # 6 bytes
tail:   .asciz "/root/models"           # 13 bytes

_start: push 0x4002                     # signals 15 and 2, as bits
        mov rsi, rsp
        xor edi, edi                    # SIG_BLOCK
        xor edx, edx
        push 8
        pop r10                         # bytes of a set
        push 14
        pop rax                         # rt_sigprocmask
        syscall
        push 39
        pop rax                         # getpid
        syscall

        sub rsp, 40                     # the target is written from its end to its start
        lea rdi, [rsp + 27]
        lea rsi, [rip + tail]
        push 13
        pop rcx
        rep movsb
        lea rdi, [rsp + 26]
        push 10
        pop rcx
        std
1:      xor edx, edx
        div ecx
        add dl, '0'
        mov [rdi], dl
        dec rdi
        test eax, eax
        jnz 1b
        lea rsi, [rip + head + 5]
        push 6
        pop rcx
        rep movsb
        cld
        inc rdi
        push -100
        pop rsi                         # AT_FDCWD
        lea rdx, [rip + link]
        mov eax, 266                    # symlinkat
        syscall

        lea rdi, [rsp + 40]             # the signals
        xor esi, esi
        xor edx, edx
        push 8
        pop r10
2:      mov eax, 128                    # rt_sigtimedwait
        syscall
        test eax, eax
        js 2b
        xor edi, edi
        mov eax, 231                    # exit_group
        syscall
end:
