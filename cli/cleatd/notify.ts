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
