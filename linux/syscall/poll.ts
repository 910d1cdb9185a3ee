import { callC } from './ffi.js';

const prototype = 'int poll(void *fds, unsigned long count, int timeout)';
export const POLLIN = 1;
const POLLRDHUP = 0x2000;

/** Whether something of what is asked for, an error or the other end's going has come to a descriptor; answers at once. */
export function isReady(fd: number, events: number, subject: string): boolean {
  const poll = Buffer.alloc(8);
  poll.writeInt32LE(fd, 0);
  poll.writeInt16LE(events, 4);
  return callC(prototype, subject, poll, 1, 0) > 0;
}

/** Whether the other end of a stream socket has closed its side, or the connection has failed. What it sent may be unread. */
export const hasHungUp = (fd: number): boolean => isReady(fd, POLLRDHUP, `socket ${fd}`);
