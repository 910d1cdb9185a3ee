import type { Dockerfile, Writing } from '../language/dockerfile.js';
import type { Stage } from '../language/instruction.js';
import type { Findings } from './findings.js';

const reserved = new Set(['context', 'scratch']);
const isLower = (text: string): boolean => text === text.toLowerCase();
const isUpper = (text: string): boolean => text === text.toUpperCase();

/** Checks of how the file is written, whichever of its stages are built. */
export function checkFile(dockerfile: Dockerfile, findings: Findings): void {
  for (const { line } of dockerfile.warnings) {
    findings.add('NoEmptyContinuation', line, 'Empty continuation line', { start: line, end: line });
  }
  for (const { args, line } of dockerfile.globals) checkComment(dockerfile, findings, line, 'ARG', args.map(keyOf));
  for (const stage of dockerfile.stages) {
    checkFrom(dockerfile, findings, stage);
    for (const instruction of stage.instructions) {
      const { line } = instruction;
      if (instruction.name === 'MAINTAINER') {
        findings.add('MaintainerDeprecated', line, 'Maintainer instruction is deprecated in favor of using label');
      }
      if (instruction.name === 'ARG') checkComment(dockerfile, findings, line, 'ARG', instruction.args.map(keyOf));
    }
  }
  checkNames(dockerfile, findings);
  checkCasing(dockerfile, findings);
}

const keyOf = ({ key }: { readonly key: string }): string => key;

function checkFrom(dockerfile: Dockerfile, findings: Findings, { line, name }: Stage): void {
  const { command = '', words = [] } = dockerfile.writing.get(line) ?? {};
  const [, as, written] = words;
  if (as === undefined || written === undefined) return;
  if (!isLower(written)) findings.add('StageNameCasing', line, `Stage name '${written}' should be lowercase`);
  // A mixture of both is another rule's.
  const fits = isLower(command) ? isLower(as) : !isUpper(command) || isUpper(as);
  if (!fits) findings.add('FromAsCasing', line, `'${as}' and '${command}' keywords' casing do not match`);
  checkComment(dockerfile, findings, line, 'FROM', name === undefined ? [] : [name]);
}

function checkComment(
  { writing }: Dockerfile,
  findings: Findings,
  line: number,
  instruction: 'ARG' | 'FROM',
  names: readonly string[],
): void {
  const comment = writing.get(line)?.comments.at(-1);
  const [name = ''] = names;
  if (comment === undefined || name === '' || names.includes(comment.split(' ')[0] ?? '')) return;
  const shown = names.length > 1 ? '<arg_key>' : name;
  const text = `Comment for ${instruction} should follow the format: \`# ${shown} <description>\``;
  findings.add('InvalidDefinitionDescription', line, text);
}

function checkNames({ stages }: Dockerfile, findings: Findings): void {
  const seen = new Set<string>();
  for (const { name, line } of stages) {
    if (name === undefined) continue;
    const quoted = JSON.stringify(name);
    if (reserved.has(name)) {
      findings.add('ReservedStageName', line, `Stage name should not use the same name as reserved stage ${quoted}`);
    }
    if (seen.has(name)) {
      findings.add('DuplicateStageName', line, `Duplicate stage name ${quoted}, stage names should be unique`);
    }
    seen.add(name);
  }
}

/** ARGs before the first FROM belong to no stage, and are not looked at. */
function checkCasing({ stages, writing }: Dockerfile, findings: Findings): void {
  const all = stages.flatMap(({ line, instructions }) => [line, ...instructions.map((one) => one.line)]);
  const written = all.map((line): Writing | undefined => writing.get(line)).filter((one) => one !== undefined);
  const lower = written.filter(({ command }) => isLower(command)).length;
  const upper = written.filter(({ command }) => isUpper(command)).length;
  const [fits, casing] = lower > upper ? [isLower, 'lowercase'] : [isUpper, 'uppercase'];
  for (const { command, start } of written) {
    if (fits(command)) continue;
    const text = `Command '${command}' should match the case of the command majority (${casing})`;
    findings.add('ConsistentInstructionCasing', start, text);
  }
}
