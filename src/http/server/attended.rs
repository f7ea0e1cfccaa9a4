//! Tells a connection when a request begins and when its answer is written.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_http::body::{BodySize, MessageBody};
use actix_http::{Request, Response};
use actix_service::Service;
use bytes::Bytes;
use pin_project_lite::pin_project;

use super::visitors::Visit;

/// A request under way, to the last byte of its answer.
struct Attention(Option<Rc<Visit>>);

impl Attention {
    fn begin(request: &Request) -> Self {
        let visit = request.conn_data::<Rc<Visit>>().cloned();
        if let Some(visit) = &visit {
            visit.begin();
        }
        Self(visit)
    }
}

impl Drop for Attention {
    fn drop(&mut self) {
        if let Some(visit) = &self.0 {
            visit.finish();
        }
    }
}

pin_project! {
    /// An answer's body that ends its request.
    pub struct Attended<B> {
        #[pin]
        body: B,
        attention: Attention,
    }
}

/// Calls the service with a request and watches over the answer.
pub fn attend<S, B>(
    request: Request,
    service: &S,
) -> impl Future<Output = Result<Response<Attended<B>>, S::Error>> + use<S, B>
where
    S: Service<Request>,
    S::Response: Into<Response<B>>,
{
    let attention = Attention::begin(&request);
    let answering = service.call(request);
    async move {
        let response: Response<B> = answering.await?.into();
        Ok(response.map_body(|_, body| Attended { body, attention }))
    }
}

impl<B: MessageBody> MessageBody for Attended<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.project().body.poll_next(context)
    }
}
