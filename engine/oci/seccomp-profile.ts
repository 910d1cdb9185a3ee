/** Docker's profile format: OCI's, and rules that depend on capabilities, architecture and kernel. */
export interface Profile {
  defaultAction?: string;
  defaultErrnoRet?: number;
  architectures?: string[] | null;
  archMap?: { architecture: string; subArchitectures?: string[] | null }[] | null;
  flags?: string[];
  listenerPath?: string;
  listenerMetadata?: string;
  syscalls?: Rule[] | null;
}

export interface Rule {
  name?: string;
  names?: string[];
  action: string;
  errnoRet?: number | null;
  args?: { index: number; value: number; valueTwo?: number; op: string }[] | null;
  includes?: Condition;
  excludes?: Condition;
}

export interface Condition {
  caps?: string[] | null;
  arches?: string[] | null;
  minKernel?: string;
}
