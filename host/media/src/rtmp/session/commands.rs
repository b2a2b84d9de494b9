//! What commands do to a session, and how they are answered (7.2).

use super::super::amf0::Value;
use super::super::command::{self, Command, Enhanced, Level};
use super::super::error::{Error, NameError};
use super::super::event::{Connected, Event, Output, PublishKind, PublishRequest};
use super::super::message::id;
use super::super::names;
use super::{Connection, Secret, Session, State, WINDOW_ACK_BYTES};

/// Size of our chunks: every reply fits one.
const SEND_CHUNK_SIZE: u32 = 60_000;

/// Set Peer Bandwidth's limit type "dynamic", as servers send it.
const BANDWIDTH_DYNAMIC: u8 = 2;

impl Session {
    /// Handles one command that came on a message stream.
    pub(super) fn command(&mut self, stream_id: u32, command: &Command, output: &mut Output) -> Result<(), Error> {
        if command.name == "connect" {
            return self.connect(command, output);
        }
        if self.connection.is_none() {
            return Err(Error::NotConnected);
        }
        match command.name.as_str() {
            "createStream" => self.create_stream(command, output),
            "publish" => self.publish(stream_id, command, output),
            "releaseStream" => self.result(command, &[Value::Null, Value::Undefined], output),
            "FCPublish" => {
                self.result(command, &[Value::Null, Value::Undefined], output);
                self.notify("onFCPublish", "NetStream.Publish.Start", output);
            }
            "FCUnpublish" => {
                self.unpublish(output);
                self.result(command, &[Value::Null, Value::Undefined], output);
                self.notify("onFCUnpublish", "NetStream.Unpublish.Success", output);
            }
            "deleteStream" => self.delete_stream(command, output),
            "closeStream" => self.unpublish(output),
            "play" | "play2" => {
                let description = "this server takes streams and does not play them over rtmp";
                self.status(stream_id, Level::Error, "NetStream.Play.StreamNotFound", description, output);
            }
            // Answers to what we never asked.
            "_result" | "_error" | "onStatus" => {}
            _ => self.error(command, "NetConnection.Call.Failed", "unknown command", output),
        }
        Ok(())
    }

    fn connect(&mut self, command: &Command, output: &mut Output) -> Result<(), Error> {
        if self.connection.is_some() {
            self.error(command, "NetConnection.Connect.Failed", "already connected", output);
            return Ok(());
        }
        let (app, app_query) = names::split_query(command.property("app"));
        let app = match names::app_name(app) {
            Ok(app) => app,
            Err(error) => {
                let description = error.to_string();
                self.error(command, "NetConnection.Connect.InvalidApp", &description, output);
                return Err(Error::BadApp(error));
            }
        };
        let tc_url = command.property("tcUrl");
        if tc_url.len() > self.limits.url_bytes {
            return Err(Error::MalformedCommand("tcUrl is too long"));
        }
        let (tc_url, tc_url_query) = names::split_query(tc_url);
        let enhanced = Enhanced::of(command);
        self.connection = Some(Connection {
            app: app.to_owned(),
            app_query: Secret(app_query.to_owned()),
            tc_url: tc_url.to_owned(),
            tc_url_query: Secret(tc_url_query.to_owned()),
            enhanced,
        });
        self.answer_connect(command, enhanced, output);
        output.events.push(Event::Connected(Box::new(Connected {
            app: app.to_owned(),
            tc_url: tc_url.to_owned(),
            flash_ver: command.property("flashVer").chars().take(128).collect(),
        })));
        Ok(())
    }

    fn answer_connect(&mut self, command: &Command, enhanced: Enhanced, output: &mut Output) {
        let window = WINDOW_ACK_BYTES.to_be_bytes();
        let [a, b, c, d] = window;
        self.send_control(output, id::WINDOW_ACK_SIZE, &window);
        self.send_control(output, id::SET_PEER_BANDWIDTH, &[a, b, c, d, BANDWIDTH_DYNAMIC]);
        self.send_control(output, id::SET_CHUNK_SIZE, &SEND_CHUNK_SIZE.to_be_bytes());
        self.writer.set_chunk_size(SEND_CHUNK_SIZE);
        // The version string is the one that encoders expect of a plain server without digest or AMF3.
        let properties = [("fmsVer", Value::String("FMS/3,0,1,123".to_owned())), ("capabilities", Value::Number(31.0))];
        let mut more = vec![("objectEncoding", Value::Number(0.0))];
        more.extend(enhanced.answer());
        let code = "NetConnection.Connect.Success";
        let answer = [
            command::object(properties.into_iter().chain(enhanced.answer())),
            command::info(Level::Status, code, "connected", more),
        ];
        self.result(command, &answer, output);
    }

    fn create_stream(&mut self, command: &Command, output: &mut Output) {
        self.last_stream_id = self.last_stream_id.wrapping_add(1).max(1);
        let stream_id = Value::Number(f64::from(self.last_stream_id));
        self.result(command, &[Value::Null, stream_id], output);
    }

    /// Turns `publish` into a request to the caller, or refuses what can be refused here.
    fn publish(&mut self, stream_id: u32, command: &Command, output: &mut Output) {
        if matches!(self.state, State::Publishing { .. }) {
            let description = "this connection is already publishing";
            self.status(stream_id, Level::Error, "NetStream.Publish.BadName", description, output);
            return;
        }
        match self.publish_request(command) {
            Ok(request) => self.request_publish(stream_id, request, output),
            Err(error) => {
                let description = error.to_string();
                self.status(stream_id, Level::Error, "NetStream.Publish.BadName", &description, output);
            }
        }
    }

    fn publish_request(&self, command: &Command) -> Result<PublishRequest, NameError> {
        let connection = self.connection.as_ref().ok_or(NameError::Empty)?;
        let (stream, query) = names::split_query(command.text(1));
        let queries = [query, &connection.app_query.0, &connection.tc_url_query.0];
        Ok(PublishRequest {
            app: connection.app.clone(),
            tc_url: connection.tc_url.clone(),
            stream: names::stream_name(stream)?.to_owned(),
            query: names::merge_queries(&queries, self.limits.query_pairs)?,
            kind: match command.text(2) {
                "record" => PublishKind::Record,
                "append" => PublishKind::Append,
                _ => PublishKind::Live,
            },
        })
    }

    /// Deleting another stream than the published one ends nothing. A missing number means the only one.
    fn delete_stream(&mut self, command: &Command, output: &mut Output) {
        let State::Publishing { stream_id } = self.state else {
            return;
        };
        let deleted = command.argument(1).and_then(Value::as_number);
        if deleted.is_none_or(|number| number == f64::from(stream_id)) {
            self.unpublish(output);
        }
    }

    /// Answers a command that asked for an answer.
    fn result(&self, command: &Command, arguments: &[Value], output: &mut Output) {
        if command.transaction != 0.0 {
            command::write(&self.writer, &mut output.send, 0, "_result", command.transaction, arguments);
        }
    }

    /// Refuses a command that asked for an answer.
    fn error(&self, command: &Command, code: &str, description: &str, output: &mut Output) {
        if command.transaction != 0.0 {
            let arguments = [Value::Null, command::info(Level::Error, code, description, Vec::new())];
            command::write(&self.writer, &mut output.send, 0, "_error", command.transaction, &arguments);
        }
    }

    /// Sends a connection-level notice such as `onFCPublish`.
    fn notify(&self, name: &str, code: &str, output: &mut Output) {
        let arguments = [Value::Null, command::info(Level::Status, code, "", Vec::new())];
        command::write(&self.writer, &mut output.send, 0, name, 0.0, &arguments);
    }

    /// Sends `onStatus` on a message stream.
    pub(super) fn status(&self, stream_id: u32, level: Level, code: &str, description: &str, output: &mut Output) {
        let arguments = [Value::Null, command::info(level, code, description, Vec::new())];
        command::write(&self.writer, &mut output.send, stream_id, "onStatus", 0.0, &arguments);
    }
}
