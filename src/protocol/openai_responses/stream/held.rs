//! Blocks that are told when they are whole: calls of tools with items of their own, a provider's searches, images.

use super::items::CallHead;
use super::ladder::Between;
use crate::protocol::json_fields::{Fields, Path};
use crate::protocol::json_write::{self, Object};
use crate::protocol::neutral::ServerCall;
use crate::protocol::openai_responses::decode_content::data_url;
use crate::protocol::openai_responses::local_tools::LocalTool;

#[derive(Debug)]
pub enum Held {
    Local(LocalTool, CallHead, String),
    Server(ServerCall),
}

/// Writes it as the item it is.
pub fn tell_held(between: Between, held: Held, out: &mut Vec<u8>) -> Between {
    match held {
        Held::Server(call) => between.whole(out, "ws", |out, id| web_search(out, id, &call)),
        Held::Local(tool, head, arguments) => {
            let id = &head.call_id;
            let mut probe = Vec::new();
            let mut fits = false;
            json_write::object(&mut probe, |out| {
                fits = tool.write_call(out, "", id, &arguments);
            });
            if fits {
                return between.whole(out, "lc", |out, item| {
                    tool.write_call(out, item, id, &arguments);
                });
            }
            // Arguments that are none of this tool's: the client is told what the model wrote.
            let mut call = between.call(out, head);
            call.add(out, &arguments);
            call.close(out)
        }
    }
}

fn web_search(out: &mut Object<'_>, id: &str, call: &ServerCall) {
    let at = Path::Body;
    let query = Fields::read(call.input.as_bytes(), &at);
    let query = query.and_then(|mut input| input.text("query", &at));
    let query = query.ok().flatten().unwrap_or_default();
    out.text("id", id);
    out.text("type", "web_search_call");
    out.text("status", "completed");
    out.object("action", |out| {
        out.text("type", "search");
        out.text("query", &query);
    });
}

/// A whole image by its `data:` address.
pub fn image(out: &mut Object<'_>, id: &str, url: &str) {
    let (_, data) = data_url(url).unwrap_or_default();
    out.text("id", id);
    out.text("type", "image_generation_call");
    out.text("status", "completed");
    out.text("result", data);
}
