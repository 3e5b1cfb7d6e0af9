"""What a kernel needs on a server of many: memory, a processor, a disk it may not write to."""
