import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeCgroups } from '@cleat/cli/sweep/cgroups';
import { hostHierarchy } from '@cleat/linux/cgroup/hierarchy';

/**
 * One control group per engine, with the engine's containers in groups below it: whatever an engine causes (daemon,
 * containerd, shims, monitors, runtimes, the containers themselves) is charged to it, also after processes are gone.
 */
export class EngineGroup {
  readonly #directory: string;
  readonly #unified: boolean;

  constructor(readonly name: string) {
    const { version, controllers, unified } = hostHierarchy();
    const mount = version === 2 ? unified : controllers.get('cpuacct');
    if (mount === undefined) throw new Error('no cgroup hierarchy accounts CPU time (cpuacct, or version 2)');
    this.#unified = version === 2;
    this.#directory = join(mount, name);
    mkdirSync(this.#directory, { recursive: true });
  }

  /** Write a PID here to move it into the group. Version 2 allows processes only in groups without children. */
  get procs(): string {
    if (!this.#unified) return join(this.#directory, 'cgroup.procs');
    mkdirSync(join(this.#directory, 'engine'), { recursive: true });
    return join(this.#directory, 'engine', 'cgroup.procs');
  }

  /** For `--cgroup-parent`. */
  get parent(): string {
    return `/${this.name}`;
  }

  /** Milliseconds of CPU time, user and system, of everything so far. */
  cpu(): number {
    if (!this.#unified) return Number(readFileSync(join(this.#directory, 'cpuacct.usage'), 'utf8')) / 1e6;
    const stat = readFileSync(join(this.#directory, 'cpu.stat'), 'utf8');
    return Number(/^usage_usec (\d+)/m.exec(stat)?.[1] ?? 0) / 1e3;
  }

  /** The engine's own processes: daemon, monitors, extensions; not those of containers. */
  processes(): number[] {
    return readFileSync(this.procs, 'utf8').split('\n').filter(Boolean).map(Number);
  }

  remove(): void {
    if (existsSync(this.#directory)) removeCgroups([this.name]);
  }
}

/** Bytes: resident, and proportional (a page shared by n processes counts 1/n for each). */
export function memoryOf(pids: readonly number[]): { resident: number; proportional: number } {
  const sum = { resident: 0, proportional: 0 };
  for (const pid of pids) {
    try {
      const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
      sum.resident += 1024 * Number(/^Rss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
      sum.proportional += 1024 * Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
    } catch {
      // It ended meanwhile.
    }
  }
  return sum;
}
