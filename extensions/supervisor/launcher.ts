/** A way to run an extension as a process: a program of the host, or a sandbox. The supervisor decides when. */
export interface Launcher {
  /**
   * Starts it; what it prints goes where the launcher says. Called once more only after the former one has ended.
   * @param signal aborted when it is not wanted any longer: then nothing may be left running
   * @throws with the reason why it cannot be started; nothing is left running then
   */
  launch(signal: AbortSignal): Promise<Launched>;

  /** The one that a former engine started, if it runs and is the right one; a wrong one is ended first. */
  adopt(): Promise<Launched | undefined>;

  /** Gives up what was made for it, after its process has ended. */
  close(): Promise<void>;
}

/** A process that runs. */
export interface Launched {
  readonly pid: number;
  /** Resolves when it has ended, with how, as a phrase: `exit code 1`, `killed by SIGKILL`. Never rejects. */
  readonly ended: Promise<string>;
  /** Asks it to stop, and makes it after so long. Resolves when it has ended, or cannot be got rid of. */
  stop(graceMs: number): Promise<void>;
}
