import { connect } from 'node:net';

/** Whether somebody accepts connections on a UNIX socket. */
export function answersOn(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false)); // Refused, or no such file: nobody is there.
    socket.setTimeout(2000, () => settle(true)); // It is bound and busy: somebody is there.
  });
}
