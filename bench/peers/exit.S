/* The floor: x86_64 assembly that only exits. What it takes is the kernel's own time. */
        .intel_syntax noprefix
        .text
        .globl _start
base:   .byte 0x7f, 'E', 'L', 'F', 2, 1, 1, 0
        .quad 0
        .short 3, 62
        .long 1
        .quad _start - base, 64, 0
        .long 0
        .short 64, 56, 2, 64, 0, 0
        .long 1, 5
        .quad 0, 0, 0, end - base, end - base, 4096
        .long 0x6474e551, 6
        .quad 0, 0, 0, 0, 0, 16
_start: xor edi, edi
        mov eax, 231
        syscall
end:
