// SPDX-License-Identifier: GPL-2.0-only
// An echo server on Boost.Beast (Debian's libboost-dev), for comparison:
// asynchronous, one thread, a buffer a connection, nothing compressed.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <memory>

extern "C" {
#include "peer.h"
}

namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using tcp = boost::asio::ip::tcp;
using error = boost::system::error_code;

class session : public std::enable_shared_from_this<session> {
public:
	explicit session(tcp::socket &&socket) : ws(std::move(socket))
	{
		ws.read_message_max(64 << 20);
		ws.auto_fragment(false);
		ws.write_buffer_bytes(65536);
		ws.next_layer().set_option(tcp::no_delay(true));
	}

	void start()
	{
		auto self = shared_from_this();

		http::async_read(ws.next_layer(), buffer, request,
				 [self](error e, size_t) {
			if (!e)
				self->accept();
		});
	}

private:
	void accept()
	{
		auto self = shared_from_this();

		ack = request.target().starts_with(PEER_ACK);
		ws.async_accept(request, [self](error e) {
			if (!e)
				self->read();
		});
	}

	void read()
	{
		auto self = shared_from_this();

		ws.async_read(buffer, [self](error e, size_t) {
			if (!e)
				self->write();
		});
	}

	void write()
	{
		auto self = shared_from_this();

		if (ack)
			buffer.clear();
		ws.binary(ws.got_binary());
		ws.async_write(buffer.data(), [self](error e, size_t) {
			if (e)
				return;
			self->buffer.clear();
			self->read();
		});
	}

	websocket::stream<tcp::socket> ws;
	beast::flat_buffer buffer;
	http::request<http::string_body> request;
	bool ack = false;
};

static void listen(tcp::acceptor &acceptor)
{
	acceptor.async_accept([&acceptor](error e, tcp::socket socket) {
		if (!e)
			std::make_shared<session>(std::move(socket))->start();
		listen(acceptor);
	});
}

int main(int argc, char **argv)
{
	boost::asio::io_context io(1);
	tcp::acceptor acceptor(io, tcp::v4(), peer_listen(peer_port(argc, argv)));

	listen(acceptor);
	io.run();
}
