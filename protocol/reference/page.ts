import { errorClassKey } from '../answer.js';
import { pluginMediaType } from '../dispatch.js';
import { type Kind, type Method, methodPath } from '../kinds/kind.js';
import { type JsonSchema, type Member, membersOf } from './members.js';

/** The reference page of a kind: Markdown. */
export function kindPage(kind: Kind): string {
  const { name, label, version, about, negotiated = [], errorKey, methods } = kind;
  return [
    `# ${name}`,
    '',
    ...(about ? [about, ''] : []),
    `An extension of this kind answers \`POST /Plugin.Activate\` with \`{"Implements": ["${name}"]}\`. Each method is an`,
    `HTTP POST of JSON with the media type \`${pluginMediaType}\`. A call that fails is answered with`,
    `\`{"${errorKey}": "why"}\`, with status 500 or any other; \`"${errorClassKey}"\` beside it may say what sort of error it is, for`,
    'example `NotFound` or `Conflict`. Keys are read in any case, unknown ones are ignored, null is as good as missing.',
    '',
    ...(negotiated.length > 0
      ? ['Beyond Docker’s protocol, and only for who asks for it:', '', ...negotiated.map((one) => `- ${one}`), '']
      : []),
    `As JSON Schema: [${label}.schema.json](${label}.schema.json). Version ${version} of the contract; made from \`protocol/kinds/${label}.ts\`.`,
    '',
    '| method | deadline | repeatable | optional |',
    '|---|---|---|---|',
    ...Object.entries(methods).map(
      ([method, { deadlineMs, idempotent, optional }]) =>
        `| [${method}](#${method.toLowerCase()}) | ${deadlineMs / 1000} s | ${idempotent ? 'yes' : 'no'} | ${optional ? 'yes' : 'no'} |`,
    ),
    '',
    'Deadlines can be set per extension and method. A repeatable call is made once more when the connection breaks.',
    'An optional method may be missing: then answer status 404.',
    '',
    ...Object.entries(methods).flatMap(([method, contract]) => section(kind, method, contract)),
  ].join('\n');
}

function section(kind: Kind, name: string, { about, since, request, response, streams }: Method): string[] {
  return [
    `## ${name}`,
    '',
    ...(about ? [about, ''] : []),
    `\`POST ${methodPath(kind, name)}\`${since ? `, since ${since}` : ''}`,
    '',
    ...message('Request', request),
    ...(streams ? ['Response: a stream of bytes.', ''] : message('Response', response)),
  ];
}

function message(title: string, schema: JsonSchema): string[] {
  const members = membersOf(schema);
  if (members.length === 0) return [`${title}: \`{}\``, ''];
  const about = schema.description ? `: ${schema.description}` : ':';
  return [`${title}${about}`, '', '| member | type | required | |', '|---|---|---|---|', ...members.map(row), ''];
}

function row({ path, type, required, negotiated, description }: Member): string {
  const text = [negotiated ? '*Negotiated.*' : '', description].filter(Boolean).join(' ');
  const cells = [`\`${path}\``, type, required ? 'yes' : '', text];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
