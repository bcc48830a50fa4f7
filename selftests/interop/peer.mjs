// SPDX-License-Identifier: GPL-2.0-only
// Node's ws as the peer of an echo, in either role.
//   peer.mjs client URL   against kws echo
//   peer.mjs server       for one connection of kws cat --echo; prints its port
//   peer.mjs gate         holds one connection until SIGTERM, then closes it
// Prints "ok NAME" and "not ok NAME # why".
import { createRequire } from 'node:module';
import { once } from 'node:events';

const require = createRequire(process.env.INTEROP_MODULES + '/');
const { WebSocket, WebSocketServer } = require('ws');

const LIMIT_MS = 60000;
let failed = 0;

function within(promise, what) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`no ${what}`)), LIMIT_MS);
	});
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function check(name, run) {
	try {
		await run();
		console.log(`ok ${name}`);
	} catch (error) {
		failed++;
		console.log(`not ok ${name} # ${error.message}`);
	}
}

// Messages in the order they come, also those that nobody waits for yet.
class Inbox {
	constructor(ws) {
		this.ws = ws;
		this.messages = [];
		this.waiting = [];
		ws.on('message', (data, binary) => {
			const message = { data, binary };
			const taker = this.waiting.shift();
			if (taker)
				taker(message);
			else
				this.messages.push(message);
		});
	}

	next() {
		if (this.messages.length)
			return Promise.resolve(this.messages.shift());
		return within(new Promise((take) => this.waiting.push(take)), 'echo');
	}

	async expect(wanted, binary) {
		const got = await this.next();
		const bytes = Buffer.from(wanted);
		if (got.binary !== binary)
			throw new Error(`binary is ${got.binary}`);
		if (!bytes.equals(got.data))
			throw new Error(`${got.data.length} bytes came, not the ${bytes.length} sent`);
	}

	async echo(data, binary) {
		this.ws.send(data, { binary });
		await this.expect(data, binary);
	}
}

function pattern(n) {
	const b = Buffer.alloc(n);
	for (let i = 0; i < n; i++)
		b[i] = (i * 31 + (i >> 8)) & 255;
	return b;
}

async function pong(ws, payload) {
	const got = within(once(ws, 'pong'), 'pong');
	ws.ping(payload);
	const [data] = await got;
	if (!Buffer.from(payload).equals(data))
		throw new Error(`pong with ${data}`);
}

async function checks(ws) {
	const inbox = new Inbox(ws);

	await check('text', () => inbox.echo('hello', false));
	await check('text beyond ASCII', () => inbox.echo('κόσμε 🌍 ñ', false));
	await check('binary', () => inbox.echo(pattern(256), true));
	await check('empty text', () => inbox.echo('', false));
	await check('empty binary', () => inbox.echo(Buffer.alloc(0), true));
	await check('lengths at the edges', async () => {
		for (const n of [1, 125, 126, 127, 65535, 65536])
			await inbox.echo(pattern(n), true);
	});
	await check('1 MiB binary', () => inbox.echo(pattern(1 << 20), true));
	await check('1 MiB text', () => inbox.echo('grün'.repeat(209715), false));
	await check('fragments', async () => {
		ws.send('Hal', { binary: false, fin: false });
		ws.send('lo, ', { binary: false, fin: false });
		ws.send('Welt', { binary: false, fin: true });
		await inbox.expect('Hallo, Welt', false);
	});
	await check('ping', () => pong(ws, 'are you there?'));
	await check('ping between fragments', async () => {
		ws.send('one ', { binary: false, fin: false });
		await pong(ws, 'between');
		ws.send('message', { binary: false, fin: true });
		await inbox.expect('one message', false);
	});
	await check('500 messages at once', async () => {
		for (let i = 0; i < 500; i++)
			ws.send(`message ${i}`);
		for (let i = 0; i < 500; i++)
			await inbox.expect(`message ${i}`, false);
	});
}

async function checkClose(ws, code, reason, wanted) {
	const closed = within(once(ws, 'close'), 'close');
	ws.close(code, reason);
	const [got] = await closed;
	if (got !== wanted)
		throw new Error(`code ${got} instead of ${wanted}`);
}

async function open(url) {
	const ws = new WebSocket(url, { perMessageDeflate: false });
	await within(once(ws, 'open'), 'connection');
	return ws;
}

async function client(url) {
	const ws = await open(url);

	await checks(ws);
	await check('close with code and reason',
		    () => checkClose(ws, 4321, 'good bye', 4321));
	await check('close without a code', async () => {
		await checkClose(await open(url), undefined, undefined, 1005);
	});
	await check('20 connections', async () => {
		const all = await Promise.all(Array.from({ length: 20 }, () => open(url)));
		const inboxes = all.map((one) => new Inbox(one));
		await Promise.all(inboxes.map((one, i) => one.echo(`I am ${i}`, false)));
		await Promise.all(all.map((one) => checkClose(one, 1000, '', 1000)));
	});
}

async function listen() {
	const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
	await once(server, 'listening');
	console.log(`port ${server.address().port}`);
	const [ws] = await once(server, 'connection');
	return [server, ws];
}

async function main([role, url]) {
	if (role === 'client') {
		await client(url);
	} else if (role === 'server') {
		const [server, ws] = await listen();
		await checks(ws);
		await check('close with code and reason',
			    () => checkClose(ws, 4321, 'good bye', 4321));
		server.close();
	} else if (role === 'gate') {
		const told = once(process, 'SIGTERM');
		const [server, ws] = await listen();
		await told;
		await checkClose(ws, 1000, '', 1000);
		server.close();
	} else {
		throw new Error('usage: peer.mjs client URL | server | gate');
	}
}

try {
	await main(process.argv.slice(2));
} catch (error) {
	failed++;
	console.log(`not ok conversation # ${error.message}`);
}
process.exit(failed ? 1 : 0);
