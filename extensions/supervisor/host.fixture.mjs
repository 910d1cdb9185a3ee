// A host as the supervisor starts it, without a build: serves VolumeDriver.Path, which answers who it is.
import { rmSync } from 'node:fs';
import { createServer } from 'node:http';

const socket = process.argv[3];
const { options } = JSON.parse(process.env.CLEAT_EXTENSION);
rmSync(socket, { force: true });
const server = createServer((request, response) => {
  request.resume();
  if (request.url === '/Plugin.Activate') response.end('{"Implements":["VolumeDriver"]}');
  else if (request.url === '/VolumeDriver.Remove') process.exit(3);
  else response.end(JSON.stringify({ Mountpoint: `/${process.pid}/${options.mark}` }));
});
server.listen(socket, () => console.log(JSON.stringify({ level: 'warn', message: 'up', mark: options.mark })));
process.on('SIGTERM', () => process.exit(0));
