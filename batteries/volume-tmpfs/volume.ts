import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, systemError } from '@cleat/protocol/errors';
import { writeFileDurably } from '@cleat/sdk';
import { readOptions, type VolumeOptions } from './volume-options.js';

/** One volume on disk: the tmpfs is mounted on `_data`; beside it `options.json` says what it is to be like. */
export class VolumeFiles {
  readonly data: string;
  readonly #optionsFile: string;

  constructor(directory: string) {
    this.data = join(directory, '_data');
    this.#optionsFile = join(directory, 'options.json');
  }

  /** Makes the directory a volume. */
  fill(options: VolumeOptions): void {
    // While nothing is mounted there, nobody has any business in it.
    mkdirSync(this.data, { mode: 0o700 });
    // Durable: after a power cut the volume is still what it was made to be.
    writeFileDurably(this.#optionsFile, JSON.stringify(options.given));
  }

  /** @throws System when the file is missing, damaged, or says what no user could have asked for */
  options(): VolumeOptions {
    try {
      const given: unknown = JSON.parse(readFileSync(this.#optionsFile, 'utf8'));
      if (!isTexts(given)) throw new Error('it must hold an object of texts');
      return readOptions(given);
    } catch (cause) {
      throw systemError(`${this.#optionsFile} is damaged: ${messageOf(cause)}`, { cause });
    }
  }
}

function isTexts(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((text) => typeof text === 'string');
}
