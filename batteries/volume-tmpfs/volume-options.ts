import type { TmpfsOptions } from '@cleat/linux/mount/mount';
import { invalidParameter } from '@cleat/protocol/errors';
import { parseBinarySize } from '@cleat/protocol/size';

/** As `docker run --tmpfs` has it: who uses the volume need not be root. */
const defaultMode = '1777';

export interface VolumeOptions {
  /** As the user wrote them, with the defaults of what they left out. */
  readonly given: Readonly<Record<string, string>>;
  /** For mount(2). */
  readonly tmpfs: TmpfsOptions;
}

interface Rule {
  /** Ends the sentence "it must be". */
  readonly allowed: string;
  /** Returns the value for the kernel, or undefined if it is not allowed. */
  read(text: string): number | string | undefined;
}

/** The largest number that the kernel takes for a user or group; the one above it means "none". */
const maxId = 2 ** 32 - 2;

const rules = {
  size: {
    allowed: "a number of bytes above 0, such as 1048576, 64m or 1g, or a percentage of the host's memory, such as 50%",
    read: (text) => (/^[1-9]\d{0,3}%$/.test(text) ? text : within(1, Number.MAX_SAFE_INTEGER, parseBinarySize(text))),
  },
  mode: {
    allowed: 'octal permission bits from 0 to 7777, such as 1777 or 0750',
    read: (text) => (/^0?[0-7]{1,4}$/.test(text) ? Number.parseInt(text, 8).toString(8) : undefined),
  },
  uid: { allowed: `the number of a user, from 0 to ${maxId}`, read: (text) => within(0, maxId, whole(text)) },
  gid: { allowed: `the number of a group, from 0 to ${maxId}`, read: (text) => within(0, maxId, whole(text)) },
  inodes: {
    allowed: 'how many files and directories there may be, a whole number above 0',
    read: (text) => within(1, Number.MAX_SAFE_INTEGER, whole(text)),
  },
} satisfies Record<string, Rule>;

/**
 * Reads `-o size=… -o mode=… -o uid=… -o gid=… -o inodes=…`. Nothing of what the user wrote gets to the kernel that was
 * not understood here, so that no value can smuggle in another option.
 * @throws InvalidParameter that names the option and what is allowed
 */
export function readOptions(options: Readonly<Record<string, string>>): VolumeOptions {
  const given = { mode: defaultMode, ...options };
  const read = Object.entries(given).map(([name, text]) => {
    const rule: Rule | undefined = Object.hasOwn(rules, name) ? rules[name as keyof typeof rules] : undefined;
    if (rule === undefined) {
      throw invalidParameter(
        `invalid option: ${JSON.stringify(name)}: a tmpfs volume has ${Object.keys(rules).join(', ')}`,
      );
    }
    const value = rule.read(text);
    if (value === undefined) {
      throw invalidParameter(`invalid option: ${name}=${JSON.stringify(text)}: it must be ${rule.allowed}`);
    }
    return [name, value];
  });
  return { given, tmpfs: Object.fromEntries(read) };
}

function whole(text: string): number | undefined {
  return /^\d{1,16}$/.test(text) ? Number(text) : undefined;
}

function within(least: number, most: number, value: number | undefined): number | undefined {
  return value !== undefined && value >= least && value <= most ? value : undefined;
}
