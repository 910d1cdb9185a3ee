/** The text of a plugin for a managed one, which answers each method with JSON: `$` stands for the request; it may have to be awaited. */
export function answering(answers: Readonly<Record<string, string>>, before = ''): string {
  const methods = Object.entries(answers).map(([path, text]) => `'/${path}': ($) => (${text})`);
  return `import { createServer } from 'node:http';
import { createReadStream } from 'node:fs';
${before}
const answers = {${methods.join(',\n')}};
createServer(async (request, response) => {
  let text = '';
  for await (const chunk of request) text += chunk;
  const answer = answers[request.url ?? ''];
  response.writeHead(answer ? 200 : 404);
  response.end(JSON.stringify(answer ? await answer(text ? JSON.parse(text) : {}) : { Err: 'no such method' }));
}).listen('/run/docker/plugins/p.sock');
process.once('SIGTERM', () => process.exit(0));
`;
}
