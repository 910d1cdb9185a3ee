import { parseBinarySize } from '@cleat/protocol/size';
import { invalidParameter } from '@cleat/sdk';

/** Units, the largest first. */
const units = { g: 1024 ** 3, m: 1024 ** 2, k: 1024 };

/** Bytes of `64m` and its like. The kernel takes 0 for "no limit", so that it is refused. @throws InvalidParameter */
export function readSize(option: string, text: string): number {
  const bytes = parseBinarySize(text);
  if (bytes === undefined || bytes === 0 || !Number.isSafeInteger(bytes)) {
    throw invalidParameter(`${option} must be a number of bytes above 0, such as 65536, 64m or 1g, not '${text}'`);
  }
  return bytes;
}

/** Bytes as `readSize` takes them. */
export function sizeText(bytes: number): string {
  const [unit, factor] = Object.entries(units).find(([, each]) => bytes % each === 0) ?? ['', 1];
  return `${bytes / factor}${unit}`;
}
