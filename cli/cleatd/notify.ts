import { sendDatagram } from '@cleat/linux/syscall/datagram';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';

/** Tells systemd (sd_notify(3)) how the daemon is; without systemd nothing happens. */
export function notify(state: string, log: Logger): void {
  const path = process.env.NOTIFY_SOCKET;
  if (!path) return;
  try {
    sendDatagram(path, state);
  } catch (error) {
    log.warn('the service manager could not be told', { state, error: messageOf(error) });
  }
}

/**
 * Sockets that systemd passed (sd_listen_fds(3)), by name; several may share one.
 * @returns empty when none are meant for this process.
 */
export function passedSockets(): { fd: number; name: string }[] {
  if (Number(process.env.LISTEN_PID) !== process.pid) return [];
  const names = (process.env.LISTEN_FDNAMES ?? '').split(':');
  return Array.from({ length: Number(process.env.LISTEN_FDS ?? 0) }, (_, index) => ({
    fd: 3 + index,
    name: names[index] ?? '',
  }));
}
