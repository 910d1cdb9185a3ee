import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { setTimeout } from '@cleat/protocol/guard';
import { hostResolver } from '../hosts.js';

/** How long one upstream server may take before the next one is asked. */
const patienceMs = 2_500;

/** Sends a DNS message on as it is. @returns the first answer. @throws when no server answers */
export async function forwardDatagram(message: Buffer, servers: readonly string[]): Promise<Buffer> {
  return await firstOf(servers, (server) => askDatagram(message, server));
}

/** The same over TCP. */
export async function forwardStream(message: Buffer, servers: readonly string[]): Promise<Buffer> {
  return await firstOf(servers, (server) => askStream(message, server));
}

async function firstOf(servers: readonly string[], ask: (server: string) => Promise<Buffer>): Promise<Buffer> {
  let failure: unknown = new Error('there is no name server to ask');
  for (const server of servers.length > 0 ? servers : hostResolver().nameservers) {
    try {
      return await ask(server);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** A socket of its own for each question: its random port is what makes a forged answer hard. */
function askDatagram(message: Buffer, server: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(server.includes(':') ? 'udp6' : 'udp4');
    let over = false;
    const done = (settle: () => void) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      socket.close();
      settle();
    };
    const timer = setTimeout(() => done(() => reject(new Error(`name server ${server} did not answer`))), patienceMs);
    socket.on('error', (error) => done(() => reject(error)));
    socket.on('message', (answer) => {
      if (answer.length >= 12 && answer.readUInt16BE(0) === message.readUInt16BE(0)) done(() => resolve(answer));
    });
    // Connected, so that only that server's answers are accepted and a refusal is heard.
    socket.connect(53, server, (error?: Error) => {
      if (error) done(() => reject(error));
      else socket.send(message);
    });
  });
}

function askStream(message: Buffer, server: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(53, server);
    let received: Buffer = Buffer.alloc(0);
    socket.setTimeout(patienceMs, () => socket.destroy(new Error(`name server ${server} did not answer`)));
    socket.once('error', reject);
    socket.once('end', () => reject(new Error(`name server ${server} hung up`)));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      resolve(received.subarray(2, 2 + received.readUInt16BE(0)));
      socket.destroy();
    });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(message.length);
    socket.write(Buffer.concat([length, message]));
  });
}
