import type { IdMaps } from '@cleat/linux/process/user-namespace';
import type { RuntimeCommand } from '@cleat/linux/runtime/runtime';
import type { ContainerConfig } from '@cleat/protocol/api/container';
import type { OciProcess } from './types.js';

/** A running container, or a plugin in its sandbox, as the exec room sees it. */
export interface ExecTarget {
  readonly id: string;
  readonly name: string;
  readonly config: ContainerConfig;
  readonly runtime: RuntimeCommand;
  readonly conmonPath: string;
  /** Its user namespace; absent: its users are the host's. */
  readonly owners?: IdMaps | undefined;
  /**
   * The process specification for the runtime, for a further process.
   * @throws InvalidParameter (no such user; endless /etc/passwd)
   */
  process(requested: RequestedExec): Promise<OciProcess>;
  /** The container's control group (`linux.cgroupsPath`). */
  readonly cgroup: string;
  /** Sessions shown as `ExecIDs`. */
  readonly execIds: Set<string>;
  /** Aborted when the container ends. */
  readonly ended: AbortSignal;
  emit(action: string, attributes?: Record<string, string>): void;
}

export interface RequestedExec {
  command: string[];
  /** Empty or undefined: the container's. */
  user?: string;
  env?: string[];
  workingDir?: string;
  privileged?: boolean;
  tty: boolean;
  consoleSize?: { height: number; width: number };
}
