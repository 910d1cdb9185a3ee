import type { Caller } from '@cleat/protocol/caller';

/** A request to the API, as the engine understood it: what authorization plugins judge. */
export interface ApiRequest {
  readonly caller: Caller;
  /** The client's certificates as PEM, its own first. */
  readonly certificates: readonly string[];
  readonly method: string;
  /** With version prefix and query. */
  readonly uri: string;
  /** Without credentials. */
  readonly headers: Readonly<Record<string, string>>;
  /** JSON; undefined when there is none, or the body is not JSON. */
  readonly body: string | undefined;
}

/** The answer that the client would get. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON; undefined for every other answer, and for streams. */
  readonly body: Buffer | undefined;
}

/** Judges the answer to a request that was allowed. @throws Forbidden, System as {@link Authorization.authorize} */
export type AnswerJudge = (answer: ApiAnswer) => Promise<void>;

/** Puts what clients ask, and what they are answered, to the plugins that the operator named. Fails closed. */
export interface Authorization {
  /** Whether any plugin is configured at this moment. */
  readonly required: boolean;

  /**
   * Asks the plugins one after another; all must allow. Each has its deadline.
   * @throws Forbidden `authorization denied by plugin N: …`; System `plugin N failed with error: …` when one cannot be
   * asked; InvalidParameter when the body is more than plugins are sent
   */
  authorize(request: ApiRequest): Promise<AnswerJudge>;
}
