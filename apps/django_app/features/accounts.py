from django.contrib.auth.decorators import login_required
from django.http import JsonResponse


@login_required
def me(request):
    return JsonResponse({"name": request.user.get_username()})
