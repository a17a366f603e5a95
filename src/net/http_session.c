/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_session.h"

#include "base/secret.h"
#include "net/deadline.h"
#include "net/http_transfer.h"

struct running {
	struct http_transfer transfer;
	struct buffer body; /* of the request */
	char *url;
	void *context;
};

struct http_session {
	CURLM *multi;
	unsigned connections;
	struct running **running; /* `connections` places; NULL: a free one */
};

struct http_session *http_session_new(unsigned connections, struct error *error)
{
	AUTO_HTTP_SESSION struct http_session *session = NULL;
	struct http_session *made;

	if (!http_client_prepare(error))
		return NULL;
	session = (struct http_session *)memory_allocate_zeroed(1, sizeof *session);
	session->connections = connections;
	session->running = (struct running **)memory_allocate_zeroed(connections, sizeof(struct running *));
	session->multi = curl_multi_init();
	if (!session->multi || curl_multi_setopt(session->multi, CURLMOPT_MAXCONNECTS, (long)connections) != CURLM_OK)
		return error_set(error, ERROR_IO, "libcurl lacks an option or memory"), NULL;
	made = session;
	session = NULL;
	return made;
}

/* A transfer that has not ended takes its connection with it. */
static void drop(struct http_session *session, struct running **place)
{
	struct running *running = *place;

	(void)curl_multi_remove_handle(session->multi, running->transfer.curl);
	http_transfer_done(&running->transfer);
	buffer_wipe_done(&running->body);
	free(running->url);
	free(running);
	*place = NULL;
}

void http_session_cancel(struct http_session *session)
{
	for (unsigned i = 0; i < session->connections; i++) {
		if (session->running[i])
			drop(session, &session->running[i]);
	}
}

void http_session_free(struct http_session *session)
{
	if (!session)
		return;
	http_session_cancel(session);
	(void)curl_multi_cleanup(session->multi);
	free(session->running);
	free(session);
}

static struct running **find_free(struct http_session *session)
{
	for (unsigned i = 0; i < session->connections; i++) {
		if (!session->running[i])
			return &session->running[i];
	}
	return NULL;
}

static struct running **find_running(struct http_session *session, const CURL *curl)
{
	for (unsigned i = 0; i < session->connections; i++) {
		if (session->running[i] && session->running[i]->transfer.curl == curl)
			return &session->running[i];
	}
	return NULL;
}

/* Copies what the caller need not keep. */
static struct running *new_running(const struct http_request *request, void *context)
{
	struct running *running = (struct running *)memory_allocate_zeroed(1, sizeof *running);

	buffer_append(&running->body, request->body);
	running->url = memory_copy_text(request->url);
	running->context = context;
	return running;
}

bool http_session_begin(struct http_session *session, const struct http_request *request, void *context, struct error *error)
{
	struct running **place = find_free(session);
	struct http_request copied = *request;

	if (!place)
		return error_set(error, ERROR_BUG, "more than %u exchanges at one time", session->connections);
	*place = new_running(request, context);
	copied.url = (*place)->url;
	copied.body = buffer_view(&(*place)->body);
	if (http_transfer_init(&(*place)->transfer, &copied, true, error)) {
		if (curl_multi_add_handle(session->multi, (*place)->transfer.curl) == CURLM_OK)
			return true;
		(void)error_set(error, ERROR_BUG, "libcurl does not take the transfer");
	}
	(void)error_prefix(error, "%s %.200s", request->method, request->url);
	drop(session, place);
	return false;
}

static bool take_finished(struct http_session *session, struct http_finished *ret_finished)
{
	int left;
	const CURLMsg *message = curl_multi_info_read(session->multi, &left);
	struct running **place;

	if (!message || message->msg != CURLMSG_DONE)
		return false;
	place = find_running(session, message->easy_handle);
	if (!place)
		return false;
	*ret_finished = (struct http_finished){.context = (*place)->context};
	ret_finished->ok =
		http_transfer_finish(&(*place)->transfer, message->data.result, &ret_finished->response, &ret_finished->error);
	if (!ret_finished->ok)
		(void)error_prefix(&ret_finished->error, "%s %.200s", (*place)->transfer.request.method, (*place)->url);
	drop(session, place);
	return true;
}

bool http_session_next(struct http_session *session, unsigned wait_ms, struct http_finished *ret_finished)
{
	uint64_t deadline_ms = deadline_after(wait_ms);

	for (;;) {
		unsigned left_ms;
		int running;

		(void)curl_multi_perform(session->multi, &running);
		if (take_finished(session, ret_finished))
			return true;
		left_ms = deadline_left_ms(deadline_ms);
		if (left_ms == 0)
			return false;
		(void)curl_multi_poll(session->multi, NULL, 0, (int)left_ms, NULL);
	}
}
