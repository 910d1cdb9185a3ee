/** A live connection to a container's or an exec's standard streams. */
export interface AttachSession {
  readonly tty: boolean;
  /** Ends when the process ended, when detach keys came, or after `close()`. The reader's pace is respected. */
  readonly output: AsyncIterable<OutputFrame>;
  /** Resolves when the bytes are on their way; rejects when nobody takes more input. Undefined: no stdin asked for. */
  write?(data: Uint8Array): Promise<void>;
  /** The client half-closed: end of input for the process (when it is StdinOnce or an exec). */
  endInput?(): Promise<void>;
  /** The client has gone. Never kills the process. */
  close(): void;
}

export interface OutputFrame {
  stream: 1 | 2;
  data: Uint8Array;
}

export interface TerminalSize {
  height: number;
  width: number;
}
