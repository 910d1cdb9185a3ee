import { callC } from './ffi.js';

const FIONREAD = 0x541b;

/** How many bytes lie unread in a pipe. `fd` is an open end of it. */
export function unreadBytes(fd: number): number {
  const answer = Buffer.alloc(4);
  callC('int ioctl(int fd, unsigned long request, void *argument)', 'FIONREAD', fd, FIONREAD, answer);
  return answer.readInt32LE();
}
