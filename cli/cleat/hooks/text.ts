import type { HookStatus, HookTrace, TracedStep } from '@cleat/engine/hooks/service';
import { callerText } from '@cleat/protocol/caller';
import { columns, plain } from '../columns.js';

/** The answer of `POST /cleat/hooks/test`. */
export interface TestResult {
  readonly Method: string;
  readonly URL: string;
  readonly Decision: HookTrace['Decision'];
  readonly Steps: readonly TracedStep[];
  readonly Request?: { readonly Headers: Readonly<Record<string, string>>; readonly Body?: unknown };
  readonly Answer?: unknown;
  readonly Refusal?: { readonly Status: number; readonly Message: string };
}

/** A line for each hook. */
export function table(all: readonly HookStatus[], width?: number): string {
  if (all.length === 0) return 'The engine has no request hooks: cleatd --hooks FILE names them.\n';
  const lines = all.map((one) => [
    one.Name,
    one.Wishes ? sights(one.Wishes) : 'not known yet',
    routes(one),
    one.OnFailure,
    `${one.DeadlineMs / 1000}s`,
    String(one.Requests),
    String(one.Changed),
    String(one.Refused),
    String(one.Failures),
    one.LastFailure ?? '-',
  ]);
  const head = ['NAME', 'SEES', 'ROUTES', 'ON-FAILURE', 'DEADLINE', 'ASKED', 'CHANGED', 'REFUSED', 'FAILED', 'WHY'];
  return columns([head, ...lines], { width, dispensable: ['DEADLINE', 'ROUTES', 'ON-FAILURE', 'REFUSED'] });
}

function sights({ request, response }: NonNullable<HookStatus['Wishes']>): string {
  const seen = [request !== 'none' && `request ${request}`, response !== 'none' && `response ${response}`];
  return seen.filter(Boolean).join(', ') || 'nothing';
}

function routes({ Match, Wishes }: HookStatus): string {
  const all = (Match ?? Wishes?.match)?.flatMap(({ Methods, Routes }) =>
    (Routes ?? ['*']).map((route) => (Methods ? `${Methods.join('|')} ${route}` : route)),
  );
  return all?.join(', ') ?? 'all';
}

/** One request, and a line for what each hook did. */
export function traceText(one: HookTrace): string {
  const { Time, ID, Method, Route, Params, Caller, Decision, By, Status } = one;
  const path = Object.values(Params).reduce((text, value) => text.replace('*', () => value), Route);
  const by = By === undefined ? '' : ` by ${By}`;
  const answer = Status === 0 ? '' : `, answer ${Status}`;
  const head = `${Time} ${ID} ${Method} ${path} (${callerText(Caller)}): ${Decision}${by}${answer}`;
  return `${[plain(head), ...stepLines(one.Steps)].join('\n')}\n`;
}

export function testText({ Method, URL, Steps, Request, Answer, Refusal }: TestResult): string {
  const lines = [...stepLines(Steps), ''];
  if (Refusal) lines.push(plain(`refused with status ${Refusal.Status}: ${Refusal.Message}`));
  else if (Answer !== undefined) lines.push('answered by a hook:', plain(JSON.stringify(Answer)));
  if (Request) {
    lines.push(
      Refusal ? 'the request would have been:' : 'the request that is judged and done:',
      plain(`${Method} ${URL}`),
    );
    for (const [name, value] of Object.entries(Request.Headers)) lines.push(plain(`${name}: ${value}`));
    if (Request.Body !== undefined) lines.push('', ...JSON.stringify(Request.Body, null, 2).split('\n').map(plain));
  }
  return `${lines.join('\n')}\n`;
}

function stepLines(steps: readonly TracedStep[]): string[] {
  return steps.flatMap(({ Hook, Stage, Result, Reason, Changes, DurationMs }) => [
    plain(`  ${Hook} (${Stage}): ${Result} in ${DurationMs} ms${Reason === undefined ? '' : `: ${Reason}`}`),
    ...Changes.map(({ Path, From = 'nothing', To = 'nothing', YieldedTo }) =>
      plain(`    ${Path}: ${YieldedTo === undefined ? `${From} → ${To}` : `not ${To}, ${YieldedTo} wins`}`),
    ),
  ]);
}
