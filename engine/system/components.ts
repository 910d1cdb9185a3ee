import { run } from '@cleat/linux/process/run';
import type { RuntimesConfig } from '../config.js';
import type { VersionInfo } from './service.js';

interface Part {
  version: string;
  commit: string;
}

const unknown: Part = { version: '', commit: '' };

/** Versions of the parts that do the work, each asked once, in the background. */
export class Components {
  readonly #config: RuntimesConfig;
  readonly #known = new Map<string, Part>();

  constructor(config: RuntimesConfig) {
    this.#config = config;
    this.list();
  }

  /** Version of the default runtime, which a reload may have changed. */
  runtime(): Part {
    return this.#part(this.#config.runtimes[this.#config.defaultRuntime]?.path ?? 'runc');
  }

  /** The runtime under the name that users know it by (moby `daemon/info_unix.go`, fillPlatformVersion). */
  list(): VersionInfo['Components'] {
    const runtime = this.runtime();
    return [
      { Name: 'conmon', Version: this.#part('conmon').version, Details: {} },
      { Name: this.#config.defaultRuntime, Version: runtime.version, Details: { GitCommit: runtime.commit } },
    ];
  }

  #part(program: string): Part {
    const known = this.#known.get(program);
    if (known) return known;
    this.#known.set(program, unknown);
    void ask(program).then((part) => this.#known.set(program, part));
    return unknown;
  }
}

async function ask(program: string): Promise<Part> {
  try {
    const { stdout } = await run(program, ['--version'], { deadlineMs: 5000 });
    const version = /version:?\s+(\S+)/i.exec(stdout)?.[1] ?? '';
    return { version, commit: /^commit:\s*(\S+)/im.exec(stdout)?.[1] ?? version };
  } catch {
    // A missing program is reported where it is needed; here its version is just not known.
    return unknown;
  }
}
