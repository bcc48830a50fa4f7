// SPDX-License-Identifier: GPL-2.0-only
// Node's ws, under test.
//   peer.mjs server                  an echo server; prints its address
//   peer.mjs client URL NAME JOBS    an echo client: all cases of a fuzzing server
//   peer.mjs version
import { createRequire } from 'node:module';
import { once } from 'node:events';

const require = createRequire(process.env.INTEROP_MODULES + '/');
const { WebSocket, WebSocketServer } = require('ws');

// Its defaults but for compression, which a client offers unasked and a
// server has to be told to accept, and for limits that a message of 65536
// fragments does not keep.
const OPTIONS = { perMessageDeflate: true, maxFragments: 0, maxBufferedChunks: 0 };

function server() {
	const listening = new WebSocketServer({ ...OPTIONS, host: '127.0.0.1', port: 0 });

	listening.on('listening', () => {
		console.log(`ws://127.0.0.1:${listening.address().port}/`);
	});
	listening.on('connection', echo);
}

// What goes wrong here is what the fuzzing side is there to judge.
function echo(ws) {
	ws.on('message', (data, binary) => ws.send(data, { binary }));
	ws.on('error', () => {});
	return new Promise((done) => ws.on('close', done));
}

async function client(url, name, jobs) {
	const count = new WebSocket(`${url}/getCaseCount`);
	const [text] = await once(count, 'message');
	const last = Number(text);
	let next = 1;

	async function worker() {
		while (next <= last)
			await echo(new WebSocket(`${url}/runCase?case=${next++}&agent=${name}`, OPTIONS));
	}

	await Promise.all(Array.from({ length: jobs }, worker));
	await echo(new WebSocket(`${url}/updateReports?agent=${name}`));
}

const [role, url, name, jobs] = process.argv.slice(2);
if (role === 'server') {
	server();
} else if (role === 'client' && jobs) {
	await client(url.replace(/\/$/, ''), name, Number(jobs));
} else if (role === 'version') {
	console.log(require('ws/package.json').version);
} else {
	console.error('usage: peer.mjs server | client URL NAME JOBS | version');
	process.exit(2);
}
