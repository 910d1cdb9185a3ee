/** ok: as it should be. warn: containers run, something is missing. fail: containers cannot run. */
export type Status = 'ok' | 'warn' | 'fail';

export interface Finding {
  readonly name: string;
  readonly status: Status;
  /** The fact that was found, in a few words. */
  readonly found: string;
  /** The consequence for people who run containers; with `warn` and `fail`. */
  readonly meaning?: string;
  /** A way to fix it; with `warn` and `fail`. */
  readonly fix?: string;
}

export interface Check {
  readonly name: string;
  look(): Finding | Promise<Finding>;
}

export const ok = (name: string, found: string): Finding => ({ name, status: 'ok', found });

export const warn = (name: string, found: string, meaning: string, fix: string): Finding => ({
  name,
  status: 'warn',
  found,
  meaning,
  fix,
});

export const fail = (name: string, found: string, meaning: string, fix: string): Finding => ({
  name,
  status: 'fail',
  found,
  meaning,
  fix,
});
