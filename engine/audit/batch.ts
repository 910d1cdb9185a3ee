/** Bytes of records that may wait for a disk that is slow; what comes then is counted. */
const maxWaiting = 4 * 1024 * 1024;
const firstWaiting = 64 * 1024;

/** Records on their way to the disk. */
export interface Batch {
  bytes: Buffer;
  used: number;
  records: number;
  /** Number of the first one; 0: there is none. */
  first: number;
  /** How many losses its records speak of. */
  said: number;
}

export const newBatch = (): Batch => ({
  bytes: Buffer.allocUnsafeSlow(firstWaiting),
  used: 0,
  records: 0,
  first: 0,
  said: 0,
});

/** To be used again, unless it has grown. */
export function emptied({ bytes }: Batch): Batch | undefined {
  return bytes.length === firstWaiting ? { bytes, used: 0, records: 0, first: 0, said: 0 } : undefined;
}

/** @returns whether there was room */
export function put(line: string, batch: Batch): boolean {
  // A UTF-16 unit has at most three bytes in UTF-8.
  while (batch.used + 3 * line.length > batch.bytes.length) {
    if (batch.bytes.length >= maxWaiting) return false;
    const larger = Buffer.allocUnsafeSlow(2 * batch.bytes.length);
    batch.bytes.copy(larger, 0, 0, batch.used);
    batch.bytes = larger;
  }
  batch.used += batch.bytes.write(line, batch.used);
  return true;
}
