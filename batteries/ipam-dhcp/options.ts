import { invalidParameter } from '@cleat/protocol/errors';
import type { OptionDeclarations, OptionsOf } from '@cleat/protocol/options';

export const options = {
  stateDir: { required: true, help: 'directory for its file' },
  answerSeconds: { default: '15', help: 'how long a DHCP server may take to give an address' },
} as const satisfies OptionDeclarations;

export interface DhcpOptions {
  readonly stateDir: string;
  readonly answerMs: number;
}

/** @throws InvalidParameter */
export function dhcpOptions({ stateDir, answerSeconds }: OptionsOf<typeof options>): DhcpOptions {
  const seconds = /^\d{1,2}$/.test(answerSeconds) ? Number(answerSeconds) : 0;
  // An engine waits a minute for an address.
  if (seconds < 1 || seconds > 50) throw invalidParameter(`answerSeconds: ${answerSeconds} is not from 1 to 50`);
  return { stateDir, answerMs: seconds * 1000 };
}
