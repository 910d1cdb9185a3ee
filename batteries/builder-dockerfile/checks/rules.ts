/** Checks of a Dockerfile, by the names and addresses of BuildKit's (moby/buildkit `frontend/dockerfile/linter`). */
const rules = {
  ConsistentInstructionCasing: 'All instructions are written in capitals, or all in small letters',
  CopyIgnoredFile: 'A file that .dockerignore leaves out cannot be copied',
  DuplicateStageName: 'Each stage has a name of its own',
  ExposeInvalidFormat: 'EXPOSE names ports of the container, without an address or a port of the host',
  ExposeProtoCasing: 'The protocol of EXPOSE is written in small letters',
  FromAsCasing: 'AS is written like FROM: both in capitals, or both in small letters',
  FromPlatformFlagConstDisallowed: 'FROM --platform takes a variable, so that the file is good for all platforms',
  InvalidDefaultArgInFrom: 'FROM needs an image also where no build argument is given: its ARG has no good default',
  InvalidDefinitionDescription: 'A comment above a stage or an argument begins with its name, or stands apart from it',
  JSONArgsRecommended: 'A command as a JSON list gets signals itself; in a shell it does not',
  LegacyKeyValueFormat: 'Key and value are written with = between them',
  MaintainerDeprecated: 'MAINTAINER is out of date: the author of an image is a label',
  MultipleInstructionsDisallowed: 'Of several such instructions in a stage only the last one counts',
  NoEmptyContinuation: 'An empty line after a continued one will be an error one day',
  RedundantTargetPlatform: 'FROM takes the platform of the target anyway',
  ReservedStageName: 'Names with a meaning of their own are not for stages',
  SecretsUsedInArgOrEnv: 'ARG and ENV stay in the image: they are not for secrets',
  StageNameCasing: 'Names of stages are written in small letters',
  UndefinedArgInFrom: 'FROM sees only variables of an ARG before it',
  UndefinedVar: 'A variable is declared before it is used',
  WorkdirRelativePath: 'A relative WORKDIR depends on the base image: begin with an absolute one',
} as const;

export type Rule = keyof typeof rules;

/** Rules that are on only where the file asks for them. */
export const experimental: ReadonlySet<Rule> = new Set(['InvalidDefinitionDescription']);

export const descriptionOf = (rule: Rule): string => rules[rule];

export function addressOf(rule: Rule): string {
  const name = rule.replace(/JSON/, 'Json').replace(/(?<=.)[A-Z]/g, (letter) => `-${letter}`);
  return `https://docs.docker.com/go/dockerfile/rule/${name.toLowerCase()}/`;
}
