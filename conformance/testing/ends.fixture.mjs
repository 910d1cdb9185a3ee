// A volume plugin that ends when it is asked for a volume that it does not have. node ends.fixture.mjs SOCKET
import { rmSync } from 'node:fs';
import { createServer } from 'node:http';

const [socket] = process.argv.slice(2);
const answers = {
  '/Plugin.Activate': { Implements: ['VolumeDriver'] },
  '/VolumeDriver.List': { Volumes: [] },
  '/VolumeDriver.Capabilities': { Capabilities: { Scope: 'local' } },
};
rmSync(socket, { force: true });
createServer((request, response) => {
  request.resume().on('end', () => {
    const answer = answers[request.url];
    if (answer) return response.end(JSON.stringify(answer));
    process.stderr.write('out of luck\n', () => process.exit(1));
  });
}).listen(socket);
