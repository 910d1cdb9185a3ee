import type { Heredoc } from './heredoc.js';
import type { Pair } from './words.js';

/** One variable of an ARG: its default is not expanded yet. */
export interface Declared {
  readonly key: string;
  readonly value?: string;
}

/** A command in shell form (`text`) or in JSON form (`list`). */
export type CommandLine = { readonly text: string } | { readonly list: readonly string[] };

export interface Healthcheck {
  readonly Test: readonly string[];
  /** Nanoseconds. */
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

export interface CopyFlags {
  readonly chown?: string;
  readonly chmod?: string;
  readonly link: boolean;
  readonly exclude: readonly string[];
}

/** A document among the sources of COPY or ADD: a file of this name. */
export interface Inline {
  readonly name: string;
  readonly content: string;
  readonly expand: boolean;
}

interface Sources extends CopyFlags {
  readonly sources: readonly string[];
  readonly inline: readonly Inline[];
  readonly target: string;
}

/** The meaning of an instruction. Variables in it are not replaced yet. */
export type Statement =
  | ({
      readonly name: 'ADD';
      readonly checksum?: string;
      readonly keepGitDir?: boolean;
      readonly unpack?: boolean;
    } & Sources)
  | { readonly name: 'ARG'; readonly args: readonly Declared[] }
  | { readonly name: 'CMD' | 'ENTRYPOINT'; readonly command: CommandLine }
  | ({ readonly name: 'COPY'; readonly from?: string; readonly parents: boolean } & Sources)
  | { readonly name: 'ENV' | 'LABEL'; readonly pairs: readonly Pair[] }
  | { readonly name: 'EXPOSE'; readonly ports: readonly string[] }
  | { readonly name: 'HEALTHCHECK'; readonly check: Healthcheck }
  | { readonly name: 'MAINTAINER' | 'STOPSIGNAL' | 'USER' | 'WORKDIR'; readonly value: string }
  | { readonly name: 'ONBUILD'; readonly trigger: string }
  | RunStatement
  | { readonly name: 'SHELL'; readonly shell: readonly string[] }
  | { readonly name: 'VOLUME'; readonly volumes: readonly string[] };

export interface RunStatement {
  readonly name: 'RUN';
  readonly command: CommandLine;
  readonly heredocs: readonly Heredoc[];
  /** Values of `--mount`, read when variables have their values. */
  readonly mounts: readonly string[];
  readonly network: 'default' | 'none' | 'host';
  readonly security: 'sandbox' | 'insecure';
}

export type Instruction = Statement & {
  /** As it stands in the file, in one line: for people. */
  readonly text: string;
  /** Its first line, from 1. */
  readonly line: number;
};

/** `FROM`, and what stands below it. */
export interface Stage {
  readonly base: string;
  /** In lower case; missing where it has none. */
  readonly name?: string;
  readonly platform?: string;
  readonly text: string;
  readonly line: number;
  readonly instructions: readonly Instruction[];
}
